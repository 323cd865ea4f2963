"""Seams: what happens where given footage meets new footage, against what happens everywhere else in the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from worldloom.evaluate.optical_flow import coarse_flow
from worldloom.generate.dissolve import STILL, changes

LUMA = np.array([0.299, 0.587, 0.114])
STEADY = 0.03
"""Pixels per frame per frame: a clip whose motion changes less moves steadily, and a join is measured against this."""


@dataclass(frozen=True)
class Seam:
    """One join, between frames `frame - 1` and `frame`.

    difference: change of the picture at the join over the clip's median change from frame to frame.
    jump: change of the motion at the join over the clip's median change of motion.
    brightness: change of the mean luma at the join as a share of the mean luma, beyond the clip's median change.
    """

    frame: int
    difference: float
    jump: float
    brightness: float


def find_seams(clip: UInt8[np.ndarray, "F H W 3"], joins: Sequence[int], loop: bool = False) -> list[Seam]:
    """Return the seam at every frame of `joins` (its first frame after the join); at least 5 frames.

    With `loop` the clip is shown in a circle, and join 0 is where its last frame runs into its first.
    """
    shown = np.concatenate([clip[-2:], clip, clip[:2]]) if loop else clip
    first = 2 if loop else 0
    places = [frame + first for frame in joins]
    if any(not 1 <= place < len(shown) for place in places):
        raise ValueError(f"joins {list(joins)} are not inside a clip of {len(clip)} frames")
    moved, jumps, steps = changes(shown), flow_jumps(shown), brightness_steps(shown)
    # In a circle the doubled frames would count twice; and a join must not be its own measure.
    others = [at for at in range(max(1, first), first + len(clip)) if at not in places]
    usual = max(float(np.median(moved[[at - 1 for at in others]])), STILL)
    steady = max(float(np.nanmedian(jumps[[at - 1 for at in others]])), STEADY)
    drift = float(np.median(steps[[at - 1 for at in others]]))
    return [
        Seam(
            frame,
            float(moved[at - 1]) / usual,
            float(np.nan_to_num(jumps[at - 1])) / steady,
            max(0.0, float(steps[at - 1]) - drift),
        )
        for frame, at in zip(joins, places, strict=True)
    ]


def flow_jumps(clip: UInt8[np.ndarray, "F H W 3"]) -> Float[np.ndarray, " G"]:
    """Return, for each step between frames, how far its optical flow is from the mean of the steps beside it.

    Mean length over the picture in pixels, [F - 1]; the clip's first and last step have one neighbour and are nan.
    """
    flow = coarse_flow(clip)
    jumps = np.full(len(flow), np.nan)
    middle = flow[1:-1] - (flow[:-2] + flow[2:]) / 2
    jumps[1:-1] = np.linalg.norm(middle, axis=-1).mean(axis=(1, 2))
    return jumps


def brightness_steps(clip: UInt8[np.ndarray, "F H W 3"]) -> Float[np.ndarray, " G"]:
    """Return the change of mean luma from each frame to the next as a share of the clip's mean luma, [F - 1]."""
    luma = (clip @ LUMA).mean(axis=(1, 2))
    return np.abs(np.diff(luma)) / max(float(luma.mean()), 1.0)
