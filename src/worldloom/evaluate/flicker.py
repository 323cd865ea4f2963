"""Flicker: how much the picture trembles where nothing moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8

from worldloom.evaluate.optical_flow import coarse_flow

BLOCK = 4
"""Pixels along the side of the blocks that are still or not: grain is averaged away in them, motion is not."""
STEADY = 3.0
"""Levels of 255 by which the mean of a still block may wander in the course of a clip."""
SLOW = 0.35
"""Pixels per frame of optical flow up to which a block counts as still in every frame."""
MARGIN = 2
"""Blocks around whatever moves that are left out."""
LEAST = 0.05
"""Share of the picture that must be still for its flicker to be measured."""


@dataclass(frozen=True)
class Flicker:
    """`levels` of 255: mean over still pixels of the temporal deviation; `still`: their share of the picture.

    The deviation of a frame is how far it is from the mean of the frames before and after it: a shadow that creeps
    does not count, grain of standard deviation s counts as 0.98 s.
    """

    levels: float | None
    still: float


def flicker(clip: UInt8[np.ndarray, "F H W 3"], still: Bool[np.ndarray, "H W"] | None = None) -> Flicker:
    """Return the flicker of a clip of at least 3 frames in its still region; None where too little stands still.

    `still` None takes what `still_region` sees; a renderer knows better.
    """
    region = still_region(clip) if still is None else still
    share = float(region.mean())
    if share < LEAST:
        return Flicker(None, share)
    return Flicker(float(temporal_deviation(clip)[region].mean()), share)


def temporal_deviation(clip: UInt8[np.ndarray, "F H W 3"]) -> Float[np.ndarray, "H W"]:
    """Return every pixel's mean distance from the mean of the frames before and after, in levels of 255."""
    frames = clip.astype(np.float32)
    return np.abs(frames[1:-1] - (frames[:-2] + frames[2:]) / 2).mean(axis=(0, 3))


def still_region(clip: UInt8[np.ndarray, "F H W 3"]) -> Bool[np.ndarray, "H W"]:
    """Return the pixels in blocks that keep their mean and have no flow in the whole clip, away from all that moves.

    Flicker that is finer than a block, or quicker than it can be tracked, does not make a block move.
    """
    height, width = clip.shape[1:3]
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2).float()
    means = _smooth_in_time(F.avg_pool2d(frames, BLOCK, ceil_mode=True))
    wander = (means.amax(0) - means.amin(0)).amax(0)
    speed = torch.from_numpy(np.linalg.norm(np.median(_triples(coarse_flow(clip)), axis=1), axis=-1))
    speed = F.adaptive_avg_pool2d(speed[:, None], (wander.shape[0], wander.shape[1]))[:, 0].amax(0)
    moving = ((wander > STEADY) | (speed > SLOW)).float()[None, None]
    near = F.max_pool2d(moving, 2 * MARGIN + 1, stride=1, padding=MARGIN)
    still = F.interpolate(1 - near, scale_factor=BLOCK, mode="nearest")[0, 0, :height, :width]
    return still.numpy() > 0


def true_still_region(masks: UInt8[np.ndarray, "F H W"], margin: int = 8) -> Bool[np.ndarray, "H W"]:
    """Return the pixels that no object ever comes near, from a render's masks; the camera must stand still."""
    objects = torch.from_numpy((masks > 0).any(axis=0)).float()[None, None]
    return F.max_pool2d(objects, 2 * margin + 1, stride=1, padding=margin)[0, 0].numpy() == 0


def _smooth_in_time(means: torch.Tensor) -> torch.Tensor:
    """Return the mean over every 5 frames in turn (fewer in a shorter clip): slow motion stays, flicker does not."""
    count = min(5, len(means))
    return means.unfold(0, count, 1).mean(-1)


def _triples(flow: np.ndarray) -> np.ndarray:
    """Return the flow of every 3 steps in turn, [G, 3, H, W, 2]: flicker flows to and fro, motion goes on."""
    count = min(3, len(flow))
    return np.stack([flow[at : at + count] for at in range(len(flow) - count + 1)])
