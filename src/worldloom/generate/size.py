"""Frame sizes as people write them, and which of them a model can paint."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from worldloom.core.error import UsageError

MAX_SIDE = 4096  # beyond it one frame's latents alone pass a common machine's memory


class Size(NamedTuple):
    """Width and height of a frame in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


# 480p is 832x480, as Wan has it: 16:9 to within 3 %, and both sides multiples of 32.
NAMED_SIZES = {"480p": Size(832, 480), "720p": Size(1280, 720), "1080p": Size(1920, 1080)}
_SIDES = re.compile(r"\s*(\d{1,9})\s*[xX*×]\s*(\d{1,9})\s*")


def parse_size(text: str | Sequence[int]) -> Size:
    """Return the size that `text` writes: `1280x720`, `1280*720`, `480p`, `720p`, `1080p`, or a (width, height) pair.

    Raises UsageError when it writes none, or a side is outside 1 to 4096 pixels.
    """
    if not isinstance(text, str):
        if len(text) != 2 or not all(isinstance(side, int) for side in text):
            raise UsageError(f"a size is a (width, height) pair of whole numbers, not {text!r}")
        size = Size(*text)
    elif (name := text.strip().lower()) in NAMED_SIZES:
        return NAMED_SIZES[name]
    elif (sides := _SIDES.fullmatch(text)) is not None:
        size = Size(int(sides[1]), int(sides[2]))
    else:
        raise UsageError(f"size {text!r} is not WIDTHxHEIGHT nor one of {', '.join(NAMED_SIZES)}")
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise UsageError(f"size {size} is out of range; each side is from 1 to {MAX_SIDE} pixels")
    return size


def nearest_sizes(size: Size, trained: Sequence[Size]) -> list[Size]:
    """Return the trained sizes, the most alike first: aspect counts before area, since it changes the picture."""
    return sorted(
        trained, key=lambda other: (abs(_log_aspect(size) - _log_aspect(other)), _log_area(size, other))
    )


def check_size(size: Size, trained: Sequence[Size], multiple: tuple[int, int], force: bool = False) -> Size:
    """Return `size` if a model trained on `trained` may paint it.

    Args:
        multiple: what width and height must be multiples of (a latent cell times a patch).
        force: allow an untrained size, as long as it is a multiple.

    Raises UsageError otherwise, with the nearest sizes that would do.
    """
    if size in trained:
        return size
    nearest = " or ".join(str(other) for other in nearest_sizes(size, trained)[:3])
    if not force:
        raise UsageError(
            f"the model was not trained on size {size}; nearest trained: {nearest} (or --force-size)"
        )
    if size.width % multiple[0] or size.height % multiple[1]:
        fitting = Size(
            *(max(step, round(side / step) * step) for side, step in zip(size, multiple, strict=True))
        )
        raise UsageError(
            f"size {size} cannot be painted: width must be a multiple of {multiple[0]} and height of {multiple[1]}; "
            f"nearest: {fitting}"
        )
    return size


def _log_aspect(size: Size) -> float:
    return math.log(size.width / size.height)


def _log_area(size: Size, other: Size) -> float:
    return abs(math.log(size.width * size.height / (other.width * other.height)))
