"""3x3 convolution with half or a quarter of the multiplications: Winograd's minimal filtering.

In a transformed basis the convolution of a tile of the output is a product for each coordinate of the basis. F(4x4, 3x3)
takes 36 for 16 pixels instead of 144, F(2x2, 3x3) 16 for 4 instead of 36 (Lavin & Gray, arXiv 1509.09308). A kernel that
also reaches back in time sums its frames in the transformed basis.

In fp32 the tiles are of four by four pixels, and as all three transforms are matrix products with constants, plain
PyTorch runs the whole at the rate of its matrix product; work goes block by block, so that the 36 coordinates of a block
stay in the cache. The result differs from the direct sum by some 1e-5 of its largest value.

In bf16 they are of two by two, whose transforms only add and halve, and the kernels in C do it (`c/winograd.c`); the
result differs by some 4e-3 of its largest value, as rounding to bf16 does.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.device import has_amx
from worldloom.nn import native

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
SMALL_TILE = 2
"""Output pixels along a side of a tile in bf16."""
PIECE = 32
"""Tiles in bf16 of which a core's own cache holds all that they need."""

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
    if weight.shape[3:] != (3, 3) or x.device.type != "cpu" or pixels < LEAST_PIXELS:
        return False
    if weight.dtype is not x.dtype:  # under autocast
        return False
    if x.dtype is torch.bfloat16:
        # AMX multiplies so much faster than anything adds that fewer products gain nothing.
        return weight.shape[1] % native.BLOCK == 0 and native.takes(_frames_last(x)) and not has_amx()
    return x.dtype is torch.float32 and min(weight.shape[:2]) >= LEAST_CHANNELS


def winograd_conv3d(x: Tensor, weight: Tensor, bias: Tensor | None, onto: Tensor | None = None) -> Tensor:
    """Convolve with one pixel of zeros around each frame and no padding in time.

    Args:
        x: fp32, or bf16 and channels-last in memory with whole lanes of channels, [B, C, F + T - 1, H, W].
        weight: of the same dtype, [C', C, T, 3, 3].
        bias: [C'] or None.
        onto: [B, C', F, H, W] of the same dtype, to which the result is added in place, or None.

    Returns:
        [B, C', F, H, W], channels-last in memory, or `onto`.
    """
    if x.dtype is torch.bfloat16:
        return _convolve_lanes(x, weight, bias, onto)
    kernel = _transformed_kernel(weight)
    clips = [_convolve(clip, kernel) for clip in _frames_last(x)]
    out = torch.stack(clips) if len(clips) > 1 else clips[0][None]
    if bias is not None:
        out += bias
    out = out.permute(0, 4, 1, 2, 3)
    return out if onto is None else onto.add_(out)


def _frames_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 4, 1)


def _convolve_lanes(x: Tensor, weight: Tensor, bias: Tensor | None, onto: Tensor | None) -> Tensor:
    """The same in bf16, by the kernel in C."""
    (clips, channels, frames, height, width), (out_channels, _, taps) = x.shape, weight.shape[:3]
    kept = frames - taps + 1
    if onto is not None and not _frames_last(onto).is_contiguous():
        return onto.add_(_convolve_lanes(x, weight, bias, None))
    out = _frames_last(onto) if onto is not None else x.new_empty(clips, kept, height, width, out_channels)
    rows, columns = -(-height // SMALL_TILE), -(-width // SMALL_TILE)
    wide = min(columns, PIECE)
    high = min(rows, PIECE // wide)
    size = torch.tensor([kept, height, width, channels, out_channels, taps, high, wide])
    # A piece has at most PIECE tiles of `taps` products of [C] with [C, C'] and 16 coordinates.
    work = {
        "count": clips * -(-rows // high) * -(-columns // wide),
        "size": kept * high * wide * 16 * taps * channels,
    }
    kernel = x.new_empty(16, taps, channels, -(-out_channels // native.LANES) * native.LANES)
    native.call(
        "winograd_kernel",
        weight.contiguous(),
        kernel,
        size,
        count=channels // 2,
        size=32 * weight[:, 0].numel(),
    )
    native.call(
        "winograd",
        _frames_last(x),
        kernel,
        None if bias is None else bias.float(),
        None if onto is None else out,
        out,
        native.scratch("winograd", size, **work),
        size,
        **work,
    )
    return out.permute(0, 4, 1, 2, 3)


def _transformed_kernel(weight: Tensor) -> Tensor:
    """[C', C, T, 3, 3] -> [T, 36, C, C']."""
    out_channels, in_channels, taps = weight.shape[:3]
    flat = weight.permute(3, 4, 2, 1, 0).reshape(9, -1)
    return (_both_ways(_KERNEL) @ flat).view(PATCH * PATCH, taps, in_channels, out_channels).transpose(0, 1)


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
    moved = (_both_ways(_INPUT) @ patches.reshape(coordinates, -1)).view(coordinates, frames, -1, channels)
    product = torch.bmm(moved[:, :kept].reshape(coordinates, -1, channels), kernel[0])
    for tap in range(1, taps):
        product.baddbmm_(moved[:, tap : tap + kept].reshape(coordinates, -1, channels), kernel[tap])
    pixels = _both_ways(_OUTPUT) @ product.view(coordinates, -1)
    return pixels.view(TILE, TILE, kept, high, wide, out_channels).permute(2, 3, 0, 4, 1, 5)


def _block(rows: int, columns: int, frames: int, bytes_per_tile: int) -> tuple[int, int]:
    """Rows and columns of tiles in a block: whole rows where they fit, else part of one."""
    tiles = max(BLOCK_BYTES // bytes_per_tile, -(-LEAST_TILES // frames), 1)
    if tiles >= columns:
        blocks = -(-rows // min(rows, tiles // columns))
        return -(-rows // blocks), columns
    return 1, -(-columns // -(-columns // tiles))


@cache
def _both_ways(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """The transform of a square, flattened by rows, that transforms its rows and its columns by `matrix`."""
    with torch.inference_mode(False):
        one = torch.tensor(matrix, dtype=torch.float64)
        return torch.kron(one, one).float()
