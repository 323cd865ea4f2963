"""Physical quantities read from tracks: fall acceleration, bounce heights, momentum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from worldloom.evaluate.tracker import Track

SHORTEST = 5
"""Frames of an arc from which an acceleration is read."""
LOWEST = 4.0
"""Pixels that a thing rises or falls at least in a flight."""
SHARP = 1.5
"""Pixels per frame and frame by which the vertical speed jumps upward where a thing bounces."""


@dataclass(frozen=True)
class Arc:
    """Frames `start` to `stop` (exclusive) of a flight between two contacts."""

    start: int
    stop: int


def bounces(track: Track, first: int) -> list[int]:
    """Return the frames, from `first` on, in which a thing is lowest before it rises again."""
    y = track.path[:, 1]
    speed = np.diff(y)
    return [
        frame
        for frame in range(max(first, 1), len(y) - 1)
        if speed[frame - 1] > 0 > speed[frame] and speed[frame - 1] - speed[frame] > SHARP
    ]


def arcs(track: Track, first: int) -> list[Arc]:
    """Return the flights of a thing from `first` on, without the frames right at a contact."""
    ends = [first - 1, *bounces(track, first), len(track.path)]
    found = [Arc(low + 1, high) for low, high in pairwise(ends)]
    return [
        arc for arc in found if arc.stop - arc.start >= SHORTEST and track.seen[arc.start : arc.stop].all()
    ]


def fall_accelerations(track: Track, first: int, fps: float, pixels_per_metre: float) -> list[float]:
    """Return the downward acceleration (m/s2) of each flight of a thing: twice the leading term of a parabola."""
    found = []
    for arc in arcs(track, first):
        height = track.path[arc.start : arc.stop, 1] / pixels_per_metre
        if np.ptp(height) < LOWEST / pixels_per_metre:  # it lies or rolls: no flight
            continue
        found.append(2 * float(np.polyfit(np.arange(len(height)) / fps, height, 2)[0]))
    return found


def first_rebound(track: Track, first: int) -> float | None:
    """Return how many pixels a thing rises after its first bounce from `first` on; None if it never bounces."""
    contacts = bounces(track, first)
    if not contacts:
        return None
    end = contacts[1] if len(contacts) > 1 else len(track.path)
    y = track.path[contacts[0] : end, 1]
    return float(y[0] - y.min())


def momentum(tracks: Sequence[Track], start: int, stop: int) -> np.ndarray:
    """Return the summed mean velocity (px per frame) of things of equal mass over frames `start` to `stop`, [2]."""
    return np.sum([(t.path[stop - 1] - t.path[start]) / (stop - 1 - start) for t in tracks], axis=0)
