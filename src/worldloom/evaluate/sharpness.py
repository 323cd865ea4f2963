"""Sharpness of objects over time: how steep their edges are, whatever their contrast."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8

LEAST = 40
"""Pixels that a region needs for its edges to be measured."""
CONTRAST = 25.0
"""Levels of 255 between a region's bright and dark pixels below which it has no edges to speak of."""


def edge_sharpness(
    clip: UInt8[np.ndarray, "F H W 3"], region: Bool[np.ndarray, "F H W"]
) -> Float[np.ndarray, " F"]:
    """Return for each frame the steepness of the edges in a region: nan where it has none.

    The 95th percentile of the gradient over the range of levels, in 1/pixel: 0.5 for a step from one pixel to the
    next, 1 / (2 w) or less for a slope w pixels wide.
    """
    luma = torch.from_numpy(clip).float() @ torch.tensor([0.299, 0.587, 0.114])
    padded = F.pad(luma[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    y = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    steep = torch.hypot(x, y).numpy()
    values = np.full(len(clip), np.nan)
    for frame, inside in enumerate(region):
        if inside.sum() < LEAST:
            continue
        low, high = np.quantile(luma[frame].numpy()[inside], [0.05, 0.95])
        if high - low >= CONTRAST:
            values[frame] = np.quantile(steep[frame][inside], 0.95) / (high - low)
    return values


def sharpness_kept(values: Float[np.ndarray, " F"]) -> float | None:
    """Return the median sharpness of a clip's last third over that of its first; None where either shows nothing."""
    third = max(1, len(values) // 3)
    first, last = values[:third], values[-third:]
    if np.isnan(first).all() or np.isnan(last).all():
        return None
    return float(np.nanmedian(last) / np.nanmedian(first))
