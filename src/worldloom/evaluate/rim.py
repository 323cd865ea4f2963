"""The rim of an edit: whether a picture shows where its mask ended."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from torch import Tensor

from worldloom.generate.region import FEATHER

BESIDE = 6
"""Pixels on either side of the rim with which it is compared."""


def rim_contrast(clip: UInt8[np.ndarray, "F H W 3"], region: Bool[np.ndarray, "F H W"]) -> float | None:
    """Return the mean gradient on a region's rim over the mean of the gradients beside it; 1 is an unseen rim.

    The rim reaches from the first pixel outside to the last one over which an edit fades in. None where the region
    leaves no place beside its rim.
    """
    steep = _gradient(clip)
    inside = torch.from_numpy(region.astype(np.float32))[:, None]
    outer, inner = _grown(inside, 1), _grown(inside, -FEATHER - 1)
    rim = (outer > 0) & (inner == 0)
    near = (inner > 0) & (_grown(inside, -FEATHER - 1 - BESIDE) == 0)
    far = (_grown(inside, 1 + BESIDE) > 0) & (outer == 0)
    if not (rim.any() and near.any() and far.any()):
        return None
    beside = (steep[near].mean() + steep[far].mean()) / 2
    return float((steep[rim].mean() + 0.1) / (beside + 0.1))  # a tenth of a level: flat pictures have no rim


def _gradient(clip: np.ndarray) -> Tensor:
    luma = torch.from_numpy(clip).float() @ torch.tensor([0.299, 0.587, 0.114])
    padded = F.pad(luma[:, None], (1, 1, 1, 1), mode="replicate")
    x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return x.abs() + y.abs()


def _grown(inside: Tensor, pixels: int) -> Tensor:
    """Return the region grown by a number of pixels, or shrunk; the frame's edge is no rim."""
    side = 2 * abs(pixels) + 1
    if pixels >= 0:
        return F.max_pool2d(inside, side, stride=1, padding=pixels)
    padded = F.pad(inside, (-pixels,) * 4, value=1.0)
    return -F.max_pool2d(-padded, side, stride=1)
