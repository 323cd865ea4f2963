"""Follows objects through a clip by their colours, from masks of the frames that are given.

Every pixel is asked whose colour it has: the object's, that of the still background at this place, or that of another
thing. An object is looked for near where its motion takes it, as a square of its own area with little of its
colour around it; its place is the centroid of its pixels. Where too few are found it is unseen and coasts on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

COLOURS = 4
"""Cluster centres that stand for an object's colours: its paint in light and shade, its pattern."""
SPREAD = 22.0
"""Levels by which a colour may differ from a cluster centre at one standard deviation."""
STILL_SPREAD = 11.0
"""The same for the background at a pixel whose colour is known."""
UNKNOWN = 5.0
"""Squared distance in standard deviations of a background that was never seen: things looked like nothing known."""
LEAST, AGAIN = 0.3, 0.4
"""Shares of its area from which an object counts as seen, and as seen again after it was not."""
WHOLE = 0.75
"""Share of its area below which a thing is partly hidden: the middle of what is left says nothing of its motion."""
SMALLEST = 14
"""Pixels of a mask below which an object is not tracked."""


@dataclass(frozen=True)
class Track:
    """`path` float [F, 2] of (x, y) in pixels, `area` float [F] in pixels, `seen` bool [F]."""

    path: np.ndarray
    area: np.ndarray
    seen: np.ndarray


@dataclass
class _Target:
    """What is known of one object while it is followed: `place` is where it was found, `centre` where it must be."""

    colours: np.ndarray
    radius: float
    size: float
    place: np.ndarray
    centre: np.ndarray
    speed: np.ndarray
    missed: int = 0


def track(
    clip: UInt8[np.ndarray, "F H W 3"], masks: UInt8[np.ndarray, "G H W"], numbers: Sequence[int]
) -> dict[int, Track]:
    """Follow the objects `numbers` through a clip of which the masks of the first frames are given.

    The camera must stand still. Objects of fewer than `SMALLEST` pixels in the last given frame are left out.
    """
    given, (height, width) = len(masks), clip.shape[1:3]
    frames = clip.astype(np.float32)
    numbers = [number for number in numbers if (masks[-1] == number).sum() >= SMALLEST]
    targets = {number: _target(frames[:given], masks, number) for number in numbers}
    background, known = _background(frames[:given], masks, numbers)
    for number, share in _shares(frames[given - 1], targets, background, known).items():
        # What is found of a whole thing is its size from here on: some of its colours may be another's as well.
        found = share[_square(targets[number].place, 1.35 * targets[number].radius, height, width)]
        if targets[number].centre is targets[number].place:
            targets[number].size *= min(
                1.0, max(LEAST, float(found[found > 0.4].sum()) / targets[number].size)
            )
    tracks = {
        number: Track(np.full((len(clip), 2), np.nan), np.zeros(len(clip)), np.zeros(len(clip), bool))
        for number in numbers
    }
    for frame in range(len(clip)):
        if frame < given:
            for number in numbers:
                found = masks[frame] == number
                if found.any():
                    _note(tracks[number], frame, centroid(found), float(found.sum()), True)
            continue
        shares = _shares(frames[frame], targets, background, known)
        for number, target in targets.items():
            seen = _find(shares[number], target)
            around = _square(target.place, 1.6 * target.radius, height, width)
            _note(tracks[number], frame, target.place.copy(), float(shares[number][around].sum()), seen)
    return tracks


def _shares(
    frame: np.ndarray, targets: dict[int, _Target], background: np.ndarray, known: np.ndarray
) -> dict[int, np.ndarray]:
    """Return, for every target, how much of each pixel's colour is its own and not the background's or another's."""
    weights = {number: np.exp(-_distance(frame, target.colours) / 2) for number, target in targets.items()}
    still = np.where(known, ((frame - background) ** 2).sum(-1) / STILL_SPREAD**2 / 3, UNKNOWN)
    total = np.exp(-still / 2) + sum(weights.values()) + 1e-6
    return {number: weight / total for number, weight in weights.items()}


def centroid(mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, " xy"]:
    """Return the mean (x, y) of a mask's pixels."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


def paths_of(masks: UInt8[np.ndarray, "F H W"], number: int) -> Track:
    """Return the true track of an object, from its masks."""
    areas = (masks == number).sum((1, 2))
    path = np.array(
        [
            centroid(mask == number) if area else (np.nan, np.nan)
            for mask, area in zip(masks, areas, strict=True)
        ]
    )
    return Track(path, areas.astype(float), areas >= LEAST * max(1, areas[0]))


def _note(track: Track, frame: int, place: np.ndarray, area: float, seen: bool) -> None:
    track.path[frame], track.area[frame], track.seen[frame] = place, area, seen


def _target(frames: np.ndarray, masks: np.ndarray, number: int) -> _Target:
    pixels = np.concatenate([frames[i][_eroded(masks[i] == number)] for i in range(len(masks))])
    areas = (masks == number).sum((1, 2))
    # Where it goes is read from the frames in which it is whole, the newest of them: gravity has changed it.
    whole = np.flatnonzero(areas >= WHOLE * areas.max())
    centres = np.array([centroid(masks[i] == number) for i in whole])
    first = max(0, len(whole) - 3)
    speed = (centres[-1] - centres[first]) / (whole[-1] - whole[first]) if len(whole) > 1 else np.zeros(2)
    place = centroid(masks[-1] == number)
    hidden = len(masks) - 1 - whole[-1]
    centre = centres[-1] + hidden * speed if hidden else place
    size = float(areas[whole[-1]])
    return _Target(_clusters(pixels), float(np.sqrt(size / np.pi)), size, place, centre, speed)


def _eroded(mask: np.ndarray) -> np.ndarray:
    """The mask without its rim, where colours mix; a thing too thin to have an inside keeps its rim."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return inner if inner.sum() >= 6 else mask


def _clusters(pixels: np.ndarray) -> np.ndarray:
    """Centres of k-means, started from pixels spread evenly over brightness: no draw, so no seed."""
    order = pixels[np.argsort(pixels.sum(1))]
    centres = order[np.linspace(0, len(order) - 1, COLOURS + 2).astype(int)[1:-1]]
    for _ in range(6):
        nearest = ((pixels[:, None] - centres) ** 2).sum(-1).argmin(1)
        centres = np.array(
            [pixels[nearest == k].mean(0) if (nearest == k).any() else centres[k] for k in range(COLOURS)]
        )
    return centres


def _background(
    frames: np.ndarray, masks: np.ndarray, numbers: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Colours of what stands still where a tracked thing ever let it be seen, [H, W, 3], and where that is."""
    free = ~np.isin(masks, numbers)
    free[:, 1:] &= free[:, :-1]
    free[:, :, 1:] &= free[:, :, :-1]
    count = free.sum(0)
    total = (frames * free[..., None]).sum(0)
    return total / np.maximum(count, 1)[..., None], count > 0


def _distance(frame: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distance of every pixel's colour to the nearest centre, in standard deviations, [H, W]."""
    return ((frame[:, :, None] - centres) ** 2).sum(-1).min(-1) / SPREAD**2


def _find(share: Float[np.ndarray, "H W"], target: _Target) -> bool:
    """Move a target to where its colour is, near where it was going; returns whether it was seen."""
    height, width = share.shape
    expected = target.centre + target.speed
    reach = 4 + 0.6 * float(np.hypot(*target.speed)) + 0.8 * target.radius + 2.0 * target.missed
    steps = np.arange(-reach, reach + 1, 1.0 if target.radius < 6 else 2.0)
    x = np.clip(expected[0] + steps, 0, width - 1)[None]
    y = np.clip(expected[1] + steps, 0, height - 1)[:, None]
    sums = np.pad(share.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = _square_sums(sums, x, y, target.radius)
    around = _square_sums(sums, x, y, 1.45 * target.radius) - inside
    away = ((x - expected[0]) ** 2 + (y - expected[1]) ** 2) / (2 * reach * reach)
    value = inside - 0.5 * around - 0.35 * target.size * away
    row, column = np.unravel_index(int(value.argmax()), value.shape)
    where = np.array([x[0, column], y[row, 0]])
    for _ in range(3):
        box = _square(where, 1.35 * target.radius, height, width)
        weight = share[box] * (share[box] > 0.4)
        if weight.sum() < (AGAIN if target.missed else LEAST) * target.size:
            target.missed += 1
            target.centre = np.clip(expected, -target.radius, np.array([width, height]) + target.radius)
            target.place = target.centre
            return False
        rows, columns = np.mgrid[box]
        where = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    target.place = where
    if weight.sum() < WHOLE * target.size:
        target.centre = expected
        return True
    moved = where - target.centre
    # A collision turns it at once; a coasting guess was no measurement.
    target.speed = moved if not target.missed else 0.5 * moved + 0.5 * target.speed
    target.size = 0.8 * target.size + 0.2 * float(weight.sum())  # it comes nearer, goes farther, or is turned
    target.centre, target.missed = where, 0
    return True


def _sides(place: np.ndarray | float, radius: float, limit: int) -> tuple[Any, Any]:
    """First and last-but-one pixel along an axis of a square with the area of a disc of that radius."""
    half = radius * 0.886
    low = np.clip(np.round(place - half), 0, limit - 1).astype(int)
    return low, np.maximum(np.clip(np.round(place + half) + 1, 0, limit).astype(int), low + 1)


def _square_sums(sums: np.ndarray, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Sums over squares about all of (x, y), from the summed-area table."""
    x0, x1 = _sides(x, radius, sums.shape[1] - 1)
    y0, y1 = _sides(y, radius, sums.shape[0] - 1)
    return sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]


def _square(place: np.ndarray, radius: float, height: int, width: int) -> tuple[slice, slice]:
    x0, x1 = _sides(place[0], radius, width)
    y0, y1 = _sides(place[1], radius, height)
    return slice(int(y0), int(y1)), slice(int(x0), int(x1))
