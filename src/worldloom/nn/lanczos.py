"""Resizing by the Lanczos kernel: the sharpest of the usual linear ones, and what a learned upsampler must beat."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

LOBES = 3


def lanczos(video: Tensor, height: int, width: int) -> Tensor:
    """Return video [..., H, W] at `height` x `width`, each axis resampled on its own, edges repeated."""
    video = _along_last(video, width)
    return _along_last(video.transpose(-1, -2), height).transpose(-1, -2)


def _along_last(video: Tensor, size: int) -> Tensor:
    if video.shape[-1] == size:
        return video
    return video @ lanczos_matrix(video.shape[-1], size).to(video)


@lru_cache(maxsize=32)
def lanczos_matrix(size: int, wanted: int) -> Tensor:
    """Return the float32 matrix [size, wanted] that resamples rows; every column sums to one.

    L(x) = sinc(x) sinc(x / 3) for |x| < 3, stretched by the scale when shrinking so that nothing aliases
    (Duchon 1979).
    """
    scale = wanted / size
    reach = LOBES / min(1.0, scale)
    centres = (torch.arange(wanted, dtype=torch.float64) + 0.5) / scale - 0.5
    taps = torch.arange(-int(reach) - 1, int(reach) + 2)
    places = centres.floor().long()[:, None] + taps
    distance = (places - centres[:, None]) * min(1.0, scale)
    weights = torch.special.sinc(distance) * torch.special.sinc(distance / LOBES) * (distance.abs() < LOBES)
    matrix = torch.zeros(wanted, size, dtype=torch.float64)
    matrix.scatter_add_(1, places.clamp(0, size - 1), weights / weights.sum(1, keepdim=True))
    return matrix.T.float().contiguous()
