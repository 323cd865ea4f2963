"""Where new footage does not meet given footage, it dissolves into it instead of jumping.

A model that runs into given frames may arrive with a thing in another place, or without it. The change at the join is
then several times the usual one: a cut. What exceeds the usual is spread over the new frames next to the join, which go
over into the given frame beside them; where they arrive as they should, nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from worldloom.generate.conform import Frames

REACH = 8
"""New frames that dissolve, and frames on either side of a join of which the stiller ones say what is usual there."""
SUDDEN = 1.1
"""A change at a join so many times the usual one is left as it is."""
DARKER = 0.015
"""Share of the brightness by which a new frame may be darker or lighter than the given one beside it."""
STILL = 0.5
"""Levels of 255 that count as the usual change of footage that stands still."""


@dataclass(frozen=True)
class Edge:
    """Given frames uint8 [F, H, W, 3] that new ones lie next to, counted away from the join: a clip's, or a picture."""

    footage: Frames

    def share(self, new: Frames) -> float:
        """Return how much of the first of the new frames must give way, so that it meets the edge as usual.

        new: uint8 [F, H, W, 3], counted away from the join.
        """
        # Where one side stands still, a change that is usual on the other would be seen as a cut.
        sides = [changes(side[:REACH]) for side in (self.footage, new)]
        usual = min((float(np.median(side)) for side in sides if len(side)), default=0.0)
        jump = float(changes(np.stack([self.footage[0], new[0]]))[0])
        light = float(self.footage[0].mean())
        step = abs(float(new[0].mean()) - light)
        return max(0.0, _excess(jump, SUDDEN * max(usual, STILL)), _excess(step, DARKER * light))

    def over(self, frame: np.ndarray, share: float) -> np.ndarray:
        """Return the new frame with `share` of the given one next to the join over it."""
        mixed = (1 - share) * frame + share * self.footage[0].astype(np.float32)
        return mixed.round().astype(np.uint8)


def changes(frames: Frames) -> np.ndarray:
    """Return the mean absolute change from each frame to the next in levels of 255, [F - 1]."""
    return np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))


def dissolve(
    chunks: Iterator[Frames], count: int, before: Edge | None, after: Edge | None
) -> Iterator[Frames]:
    """Yield the `count` new frames in `chunks` [F, H, W, 3], those next to an edge going over into it.

    The first `REACH` come together where there is an edge before them, and the last where there is one after them.
    """
    reach = min(REACH, count)
    if before is not None:
        chunks = _begin_with(chunks, reach)
    held = np.empty((0,), np.uint8)
    first = True
    for chunk in chunks:
        if before is not None and first:
            share = before.share(chunk)
            chunk = _mixed(chunk, before, [share * (1 - n / reach) for n in range(len(chunk))])
        first = False
        if after is None:
            yield chunk
            continue
        held = np.concatenate([held, chunk]) if len(held) else chunk
        if len(held) > reach:
            yield held[:-reach]
            held = held[-reach:]
    if after is not None and len(held):
        share = after.share(held[::-1])
        yield _mixed(held, after, [share * (n + 1) / reach for n in range(len(held))])


def _begin_with(chunks: Iterator[Frames], least: int) -> Iterator[Frames]:
    """Yield the chunks, the first ones together until they are at least so many frames."""
    first = next(chunks)
    while len(first) < least:
        first = np.concatenate([first, next(chunks)])
    yield first
    yield from chunks


def _excess(found: float, allowed: float) -> float:
    """Return the share of what is found that is more than allowed; below 0 there is room."""
    return 1 - allowed / found if found else 0.0


def _mixed(frames: Frames, edge: Edge, shares: list[float]) -> Frames:
    return np.stack([edge.over(f, s) if s > 0 else f for f, s in zip(frames, shares, strict=True)])
