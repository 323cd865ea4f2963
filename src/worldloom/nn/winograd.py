"""3x3 convolution with a quarter of the multiplications: Winograd's minimal filtering, F(4x4, 3x3).

Four by four output pixels need a six by six patch of the input. In a transformed basis of 36 coordinates the
convolution is a product for each coordinate, 36 for 16 pixels instead of 144 (Lavin & Gray, arXiv 1509.09308).
All three transforms are matrix products with constants, so plain PyTorch runs the whole at the rate of its matrix
product; work goes block by block, so that the 36 coordinates of a block stay in the cache. A kernel that also
reaches back in time sums its frames in the transformed basis.

In fp32 the result differs from the direct sum by some 1e-5 of its largest value.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

TILE, PATCH = 4, 6
"""Output pixels along a side of a tile, and input pixels that they need."""
BLOCK_BYTES = 2_000_000
"""Transformed input and output of a block: what a core's own cache holds."""
LEAST_TILES = 64
"""Tiles of a block below which its products wait for the kernel's coordinates to arrive from memory."""
LEAST_PIXELS = 2048
"""Output pixels, over all frames, below which transforming the kernel takes too large a share."""
LEAST_CHANNELS = 32
"""Channels in and out below which the transforms of the pixels do."""

_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `winograd_conv3d` takes these operands and is quicker with them than the direct convolution."""
    pixels = (x.shape[2] - weight.shape[2] + 1) * x.shape[3] * x.shape[4]
    return (
        weight.shape[3:] == (3, 3)
        and x.device.type == "cpu"
        and x.dtype is torch.float32
        and min(weight.shape[:2]) >= LEAST_CHANNELS
        and pixels >= LEAST_PIXELS
    )


def winograd_conv3d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with one pixel of zeros around each frame and no padding in time.

    Args:
        x: fp32 [B, C, F + T - 1, H, W].
        weight: fp32 [C', C, T, 3, 3].
        bias: [C'] or None.

    Returns:
        [B, C', F, H, W], channels-last in memory.
    """
    kernel = _transformed_kernel(weight)
    clips = [_convolve(clip, kernel) for clip in x.permute(0, 2, 3, 4, 1)]
    out = torch.stack(clips) if len(clips) > 1 else clips[0][None]
    if bias is not None:
        out += bias
    return out.permute(0, 4, 1, 2, 3)


def _transformed_kernel(weight: Tensor) -> Tensor:
    """[C', C, T, 3, 3] -> [T, 36, C, C']."""
    out_channels, in_channels, taps = weight.shape[:3]
    flat = weight.permute(3, 4, 2, 1, 0).reshape(9, -1)
    return (_kernel_matrix() @ flat).view(PATCH * PATCH, taps, in_channels, out_channels).transpose(0, 1)


def _convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """[F + T - 1, H, W, C] and a transformed kernel -> [F, H, W, C']."""
    (frames, height, width, channels), (taps, _, _, out_channels) = x.shape, kernel.shape
    kept = frames - taps + 1
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = F.pad(x, (0, 0, 1, 1 + columns * TILE - width, 1, 1 + rows * TILE - height))
    out = x.new_empty(kept, rows * TILE, columns * TILE, out_channels)
    step, down, across, _ = padded.stride()
    patches = padded.as_strided(
        (PATCH, PATCH, frames, rows, columns, channels), (down, across, step, TILE * down, TILE * across, 1)
    )
    tiles = out.view(kept, rows, TILE, columns, TILE, out_channels)
    high, wide = _block(rows, columns, kept, 4 * PATCH * PATCH * (frames * channels + kept * out_channels))
    for top in range(0, rows, high):
        for left in range(0, columns, wide):
            block = patches[:, :, :, top : top + high, left : left + wide]
            tiles[:, top : top + high, :, left : left + wide] = _convolve_block(block, kernel, kept)
    return out[:, :height, :width]


def _convolve_block(patches: Tensor, kernel: Tensor, kept: int) -> Tensor:
    """Patches [6, 6, F + T - 1, h, w, C] -> tiles [F, h, 4, w, 4, C']."""
    _, _, frames, high, wide, channels = patches.shape
    taps, coordinates, _, out_channels = kernel.shape
    moved = (_input_matrix() @ patches.reshape(coordinates, -1)).view(coordinates, frames, -1, channels)
    product = torch.bmm(moved[:, :kept].reshape(coordinates, -1, channels), kernel[0])
    for tap in range(1, taps):
        product.baddbmm_(moved[:, tap : tap + kept].reshape(coordinates, -1, channels), kernel[tap])
    pixels = _output_matrix() @ product.view(coordinates, -1)
    return pixels.view(TILE, TILE, kept, high, wide, out_channels).permute(2, 3, 0, 4, 1, 5)


def _block(rows: int, columns: int, frames: int, bytes_per_tile: int) -> tuple[int, int]:
    """Rows and columns of tiles in a block: whole rows where they fit, else part of one."""
    tiles = max(BLOCK_BYTES // bytes_per_tile, -(-LEAST_TILES // frames), 1)
    if tiles >= columns:
        blocks = -(-rows // min(rows, tiles // columns))
        return -(-rows // blocks), columns
    return 1, -(-columns // -(-columns // tiles))


@cache
def _input_matrix() -> Tensor:
    return _both_ways(_INPUT)


@cache
def _kernel_matrix() -> Tensor:
    return _both_ways(_KERNEL)


@cache
def _output_matrix() -> Tensor:
    return _both_ways(_OUTPUT)


def _both_ways(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """The transform of a square, flattened by rows, that transforms its rows and its columns by `matrix`."""
    with torch.inference_mode(False):
        one = torch.tensor(matrix, dtype=torch.float64)
        return torch.kron(one, one).float()
