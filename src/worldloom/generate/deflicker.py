"""What wanders by a few levels in the course of new footage, and has nothing moving beside it, is held still.

A small model paints a floor a little otherwise in every latent frame: it shimmers, as no floor does in a film. Motion
changes a place by more than such wandering, or lies beside places that change by more. So a block whose mean keeps
within some levels, like those around it, shows the same thing throughout and is drawn to one picture: the frame shown
before, on the way to the one shown after, or where there are neither, its own mean over time.

Of real renders hardly anything is lost. 40 takes of 33 frames held so at 12 levels (2026-11): 49 dB or more where the
camera stands still, 40 and more where it moves, moving things 39 and more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.generate.conform import Frames

BLOCK = 4  # pixels along the side of a block
AROUND = 1  # blocks on every side that must keep still as well
SMOOTH = 5  # frames over which a block's mean is averaged, so that grain does not count as motion
FADE = 1.5
"""Times the levels at which nothing is held any more: between, less and less."""


def deflicker(
    chunks: Iterator[Frames], levels: float, before: np.ndarray | None, after: np.ndarray | None
) -> Iterator[Frames]:
    """Yield the new frames in `chunks`, uint8 [F, H, W, 3], with what is still in them held; all together.

    levels: of 255, by which the mean of a still block may wander. before, after: the frames [H, W, 3] that are shown
    next to the new ones, if any.
    """
    frames = np.concatenate(list(chunks))
    share = still_share(frames, levels, [each for each in (before, after) if each is not None])
    if bool(share.any()):
        first, last = _held_at_ends(frames, before, after)
        for number, frame in enumerate(frames):
            held = first.lerp(last, (number + 1) / (len(frames) + 1))
            painted = torch.from_numpy(frame).float()
            frames[number] = painted.lerp(held, share[..., None]).round_().to(torch.uint8).numpy()
    yield frames


def still_share(frames: Frames, levels: float, beside: list[np.ndarray]) -> Tensor:
    """Return how far each pixel counts as still in the frames and the pictures beside them, [H, W], 0 to 1."""
    means = torch.stack([_block_means(frame) for frame in frames])
    smooth = means.unfold(0, min(SMOOTH, len(means)), 1).mean(-1)
    seen = torch.cat([smooth, *(_block_means(picture)[None] for picture in beside)])
    wander = (seen.amax(0) - seen.amin(0)).amax(0)[None, None]
    around = F.max_pool2d(wander, 2 * AROUND + 1, stride=1, padding=AROUND)
    share = ((FADE * levels - around) / ((FADE - 1) * levels)).clamp_(0, 1)
    height, width = frames.shape[1:3]
    return F.interpolate(share, scale_factor=BLOCK, mode="bilinear")[0, 0, :height, :width]


def _held_at_ends(
    frames: Frames, before: np.ndarray | None, after: np.ndarray | None
) -> tuple[Tensor, Tensor]:
    """Return what still places show right before and right after the frames, float [H, W, 3] each."""
    if before is None and after is None:
        before = frames.mean(axis=0, dtype=np.float32)
    ends = before if before is not None else after, after if after is not None else before
    first, last = (torch.from_numpy(np.asarray(end, np.float32)) for end in ends)
    return first, last


def _block_means(picture: np.ndarray) -> Tensor:
    """[H, W, 3] -> [3, H / 4, W / 4], rounded up."""
    return F.avg_pool2d(torch.from_numpy(picture).permute(2, 0, 1)[None].float(), BLOCK, ceil_mode=True)[0]
