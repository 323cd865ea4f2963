"""Footage at a size the model does not paint: the nearest native size, doubled and resampled to what was asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from worldloom.core.error import UsageError
from worldloom.generate.clip import Footage
from worldloom.generate.conform import Frames, to_frames, to_video
from worldloom.generate.size import Size, nearest_sizes
from worldloom.generate.upsampler import FACTOR, FOLDER, Upsampler, UpsamplerStream
from worldloom.nn.lanczos import lanczos

UPSAMPLERS = ("none", "lanczos", "tiny")
# How much of the picture may be cut to bring a native shape to the one asked for: 5:3 to 16:9 loses 6 %.
MOST_CUT = 0.12
# A scale up to this much above a power of two is left to Lanczos rather than doubled once more and shrunk.
SLACK = 1.6
FRAMES_AT_ONCE = 4


def check_upsampler(name: str) -> str:
    """Return `name` if there is such an upsampler; raises UsageError otherwise."""
    if name not in UPSAMPLERS:
        raise UsageError(f"upsampler {name!r} is unknown; choose one of {', '.join(UPSAMPLERS)}")
    return name


def native_for(size: Size, trained: Sequence[Size]) -> Size:
    """Return the trained size to paint for `size`; raises UsageError when all are larger or of another shape."""
    native = nearest_sizes(size, trained)[0]
    if max(size.width / native.width, size.height / native.height) < 1:
        raise UsageError(
            f"size {size} is smaller than any trained size of its shape, {native} is the nearest; trained sizes are "
            f"{', '.join(map(str, trained))}"
        )
    kept = _kept(size, native)
    if kept < 1 - MOST_CUT:
        raise UsageError(
            f"size {size} has no trained size of nearly its shape: of {native}, the nearest, {1 - kept:.0%} would be "
            f"cut away, more than {MOST_CUT:.0%}; trained sizes are {', '.join(map(str, trained))}"
        )
    return native


def enlarge(footage: Footage, size: Size, upsampler: str, device: torch.device | str = "cpu") -> Footage:
    """Return footage at `size`: scaled to cover it, the overhang cut evenly on both sides.

    `upsampler` is `tiny` (doubled by the learned network as often as it goes, the rest by Lanczos) or `lanczos`.
    """
    if footage.size == size:
        return footage
    doublings = count_doublings(footage.size, size) if upsampler == "tiny" else 0
    model = Upsampler.load(FOLDER, device) if doublings else None
    streams = [UpsamplerStream(model) for _ in range(doublings)] if model else []
    settings = footage.settings | {
        "size": str(size),
        "painted_size": str(footage.size),
        "upsampler": upsampler if model or upsampler == "lanczos" else "lanczos",
    }
    chunks = _chunks(footage.chunks, size, [stream.push for stream in streams], device)
    return replace(footage, size=size, settings=settings, chunks=chunks, given=())


def count_doublings(native: Size, size: Size) -> int:
    """Return how often the network doubles `native` on the way to `size`."""
    scale = max(size.width / native.width, size.height / native.height)
    return max(0, math.ceil(math.log(scale / SLACK, FACTOR)))


def _chunks(
    source: Iterator[Frames],
    size: Size,
    doubles: list[Callable[[torch.Tensor], torch.Tensor]],
    device: torch.device | str,
) -> Iterator[Frames]:
    for chunk in source:
        for start in range(0, len(chunk), FRAMES_AT_ONCE):
            video = to_video(chunk[start : start + FRAMES_AT_ONCE], device)
            for double in doubles:
                video = double(video)
            yield to_frames(_cover(video, size))


def _cover(video: torch.Tensor, size: Size) -> torch.Tensor:
    """Resample [1, 3, F, H, W] to cover `size` and cut the overhang."""
    height, width = video.shape[-2:]
    scale = max(size.width / width, size.height / height)
    tall, wide = max(size.height, round(height * scale)), max(size.width, round(width * scale))
    top, left = (tall - size.height) // 2, (wide - size.width) // 2
    video = lanczos(video, tall, wide)
    return video[..., top : top + size.height, left : left + size.width].clamp(-1, 1)


def _kept(size: Size, native: Size) -> float:
    """Return the share of a native frame that is left when it covers `size`."""
    ratio = (size.width / size.height) / (native.width / native.height)
    return min(ratio, 1 / ratio)
