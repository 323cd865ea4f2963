"""Regions of a clip, given as masks: which latent cells they free, and how an edit is laid into the source."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.generate.conform import Frames
from worldloom.generate.size import Size

WHITE = 128  # a mask pixel at least this bright belongs to the region
FEATHER = 4  # pixels inside the region over which the edit fades in; outside, the source stays to the bit


def read_region(mask: np.ndarray, size: Size, num_frames: int) -> np.ndarray:
    """Return bool [F, H, W], True where the clip may change, of a mask uint8 [1 or F, H, W, 3], bright where it may.

    Raises UsageError when the mask has another size or frame count than the clip, or frees no pixel.
    """
    count, height, width = mask.shape[:3]
    if (width, height) != size:
        raise UsageError(f"the mask is {width}x{height} and the clip {size}; they must be equal")
    if count not in (1, num_frames):
        raise UsageError(f"the mask has {count} frames; it must have 1 or the clip's {num_frames}")
    region = mask.mean(axis=-1) >= WHITE
    if not region.any():
        raise UsageError(f"the mask frees no pixel: none is at least {WHITE} of 255 bright")
    return np.broadcast_to(region, (num_frames, height, width))


def free_cells(region: np.ndarray, grid: tuple[int, int, int], stride: int) -> Tensor:
    """Return float [f, h, w], 1 for every latent cell that holds a pixel of the region bool [4f - 3, H, W].

    The first latent frame holds one frame and each later one `stride`.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(region)).float()[None, None]
    spatial = F.adaptive_max_pool3d(pixels, (len(region), *grid[1:]))[0, 0]
    later = spatial[1:].unflatten(0, (grid[0] - 1, stride)).amax(dim=1)
    return torch.cat([spatial[:1], later])


def blend(source: Frames, edit: Frames, region: np.ndarray) -> Frames:
    """Return the source with the edit inside the region bool [F, H, W], faded in over its inner rim."""
    weight = _fade(region)[..., None]
    mixed = np.rint(source * (1 - weight) + edit * weight).astype(np.uint8)
    return np.where(region[..., None], mixed, source)


def _fade(region: np.ndarray) -> np.ndarray:
    """Return float [F, H, W]: 0 outside, rising to 1 over `FEATHER` pixels inside; the frame's edge is no rim."""
    inside = torch.tensor(np.ascontiguousarray(region), dtype=torch.float32)[:, None]
    total, eroded = inside.clone(), inside
    for _ in range(FEATHER - 1):
        padded = F.pad(eroded, (1, 1, 1, 1), value=1.0)
        eroded = -F.max_pool2d(-padded, 3, stride=1)
        total += eroded
    return (total / FEATHER)[:, 0].numpy()
