"""How alike the motion of two clips of one scene is, as Physics-IQ measures it (Motamed et al. 2025, arXiv 2501.09038).

Where things move is read from frame differences. *Spatial* IoU compares where there was motion at any time,
*spatiotemporal* IoU where and when, *weighted spatial* IoU where and how long; MSE compares the pixels. Their score is
the mean of the three IoUs, each divided by what a second run of the same scene reaches, less what the squared error is
above that run's, in percent: 100 is a clip as good as a second run. Here the IoU in time is of the whole volume and not
the mean over frames, so that frames in which nothing moves give a frozen clip nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Bool, UInt8

MOVED = 18.0
"""Levels of 255 by which a pixel's colour, averaged over 3 x 3 pixels, changes between frames where things move."""


@dataclass(frozen=True)
class Match:
    """IoUs are 0 to 1; `mse` is of values in [0, 1]."""

    spatial: float
    spatiotemporal: float
    weighted: float
    mse: float


def match(clip: UInt8[np.ndarray, "F H W 3"], truth: UInt8[np.ndarray, "F H W 3"]) -> Match:
    """Compare a continuation with the simulator's; both begin with the last given frame."""
    ours, theirs = moving(clip), moving(truth)
    difference = (clip[1:].astype(np.float32) - truth[1:].astype(np.float32)) / 255
    long, longer = ours.mean(0), theirs.mean(0)
    return Match(
        spatial=_iou(np.any(ours, axis=0), np.any(theirs, axis=0)),
        spatiotemporal=_iou(ours, theirs),
        weighted=_ratio(np.minimum(long, longer).sum(), np.maximum(long, longer).sum()),
        mse=float((difference**2).mean()),
    )


def moving(clip: UInt8[np.ndarray, "F H W 3"]) -> Bool[np.ndarray, "G H W"]:
    """Return where things move between each frame and the next, [F - 1, H, W]."""
    frames = np.pad(clip.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = clip.shape[1:3]
    smooth = sum(
        frames[:, row : row + height, column : column + width] for row in range(3) for column in range(3)
    )
    return np.abs(np.diff(smooth / 9, axis=0)).max(-1) > MOVED


def score(matches: Sequence[Match], reruns: Sequence[Match]) -> float:
    """Return the score of clips against what second runs of the same scenes reach; 1 is as good, 0 the least."""
    ours, theirs = (Match(*np.mean([astuple(m) for m in group], axis=0)) for group in (matches, reruns))
    shares = [
        _ratio(getattr(ours, name), getattr(theirs, name))
        for name in ("spatial", "spatiotemporal", "weighted")
    ]
    return float(np.clip(np.mean(shares) - (ours.mse - theirs.mse), 0, 1))


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    return _ratio(float((one & other).sum()), float((one | other).sum()))


def _ratio(part: float, whole: float) -> float:
    """Nothing of nothing is all: where nothing moves, nothing moving is right."""
    return float(part / whole) if whole else 1.0
