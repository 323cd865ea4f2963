"""Stretches of a clip as users write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from worldloom.core.error import UsageError
from worldloom.generate.board import cut_frames
from worldloom.generate.clip import Clip

_SECONDS = r"(\d{1,6}(?:\.\d{1,9})?)"
_STRETCH = re.compile(rf"\s*{_SECONDS}\s*-\s*{_SECONDS}\s*")


def read_stretches(
    keep: str | Sequence[tuple[float, float]], clip: Clip, num_frames: int
) -> list[tuple[int, int]]:
    """Return the frames [start, stop) of each stretch to keep, in order, of `"0.5-1.5,3-4"` or pairs of seconds.

    Raises UsageError for a stretch that is empty, not in the clip, out of order or beyond the `num_frames` of the
    result, and where nothing but what is kept would be there.
    """
    pairs = _parse(keep) if isinstance(keep, str) else list(keep)
    if not pairs:
        raise UsageError("no stretch is to be kept; give at least one, such as 0.5-1.5")
    stretches = [cut_frames(start, stop, clip) for start, stop in pairs]
    for (_, before), (start, _), (seconds, _) in zip(stretches, stretches[1:], pairs[1:], strict=False):
        if start < before:
            raise UsageError(
                f"the stretch from {seconds:g} s begins before the one before it ends, at "
                f"{float(before / clip.fps):g} s; give them in order and apart"
            )
    if stretches[-1][1] > num_frames:
        raise UsageError(
            f"the last stretch ends at {pairs[-1][1]:g} s and the result at {float(num_frames / clip.fps):g} s; "
            "make the result longer"
        )
    if sum(stop - start for start, stop in stretches) == num_frames:
        raise UsageError("all of the result is kept; nothing is left to paint")
    return stretches


def _parse(text: str) -> list[tuple[float, float]]:
    pairs = []
    for part in text.split(","):
        if (match := _STRETCH.fullmatch(part)) is None:
            raise UsageError(
                f"{part.strip()!r} is no stretch of seconds; write them as 0.5-1.5 or 0.5-1.5,3-4"
            )
        pairs.append((float(match[1]), float(match[2])))
    return pairs
