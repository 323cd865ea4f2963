"""What stands where in time: stretches that are given and stretches to paint. Every verb that adds footage is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from worldloom.generate.conform import (
    Frames,
    after_frames,
    before_frames,
    nearest_frame,
    pick,
    retime,
    stretch,
)
from worldloom.generate.layout import Painter, Surroundings, grow
from worldloom.generate.size import Size
from worldloom.generate.window import CONTEXT


@dataclass(frozen=True)
class New:
    """`count` frames to paint; `prompt` is what they should show, where it is not what the whole request says."""

    count: int
    prompt: str | None = None


Piece = Frames | New  # given frames are uint8 [F, H, W, 3] of the timeline's size


@dataclass(frozen=True)
class Timeline:
    """Pieces in order of time at one size and frame rate.

    `beyond` follows the last piece and is seen from it, but is not shown: what a loop runs into.
    """

    size: Size
    fps: Fraction
    pieces: Sequence[Piece]
    beyond: Frames | None = None

    @property
    def num_frames(self) -> int:
        return sum(piece.count if isinstance(piece, New) else len(piece) for piece in self.pieces)

    @property
    def given(self) -> tuple[Frames, ...]:
        """The given frames, which come out as they went in."""
        return tuple(piece for piece in self.pieces if not isinstance(piece, New))

    def paint(self, painter: Painter) -> Iterator[Frames]:
        """Yield all frames in order of time: the given ones as they are, the new ones as they are painted.

        New frames see the given frames right before and after them and the new ones before them, so that motion
        runs through a change of prompt.
        """
        held = 1 + nearest_frame(_reach(painter) - 1, Fraction(painter.engine.card.fps), self.fps)
        tail = np.zeros((0, self.size.height, self.size.width, 3), np.uint8)
        for number, piece in enumerate(self.pieces):
            after = self._after(number)[:held]
            chunks = self._new(painter, piece, tail, after) if isinstance(piece, New) else iter([piece])
            for chunk in chunks:
                tail = np.concatenate([tail[-held:], chunk[-held:]])[-held:]
                yield chunk

    def _new(self, painter: Painter, piece: New, before: Frames, after: Frames) -> Iterator[Frames]:
        """Yield a new stretch of the timeline's size and rate, painted at the model's own."""
        if piece.count == 0:
            return
        painter.say(piece.prompt)
        reach, native = _reach(painter), Fraction(painter.engine.card.fps)
        shown = retime(piece.count, self.fps, native, len(before) > 0, len(after) > 0)
        seen_before = before[before_frames(reach, self.fps, native, len(before))]
        seen_after = after[after_frames(reach, self.fps, native, len(after))]
        given = Surroundings(stretch(seen_before, painter.size), stretch(seen_after, painter.size))
        for chunk in pick(grow(painter, given, max(shown) + 1), shown):
            yield stretch(chunk, self.size)

    def _after(self, number: int) -> Frames:
        """Return what is given right after piece `number`: of pieces that follow each other, the first says enough."""
        following = self.pieces[number + 1] if number + 1 < len(self.pieces) else self.beyond
        if following is None or isinstance(following, New):
            return np.zeros((0, self.size.height, self.size.width, 3), np.uint8)
        return following


def _reach(painter: Painter) -> int:
    """Return how many frames at the model's rate a new stretch sees on each side."""
    return max(CONTEXT, painter.engine.span.shortest)
