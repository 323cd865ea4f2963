"""Objects that vanish or appear: the judge says where they are, and they are followed by their colours.

An object of the first frames that can no longer be found, by its colour or by the judge, has vanished; one of the last
frames that cannot be followed back to the beginning has appeared. Unless it left through the picture's edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int, UInt8

from worldloom.evaluate.judge import CELL, FRAMES_AT_ONCE, Judge, cells_of, shown_size, to_frames
from worldloom.evaluate.tracker import Track, centroid, track

BEGINNING = 3
"""Frames at an end of the clip in which an object must be seen to be followed."""
LEAST_CELLS = 3
"""Cells of 4 x 4 pixels that an object covers at least."""
PATIENCE = 5
"""Last frames in all of which an object must be missed."""
DISTINCT = 30.0
"""Levels of 255 by which an object's pixels differ from all that is around it."""
EDGE = 3.0
"""Pixels between an object's rim and the picture's edge up to which it may have left."""


@dataclass(frozen=True)
class Loss:
    """An object that `kind`s at `frame`, the first without it (the first with it), at `place` (x, y) in pixels."""

    kind: Literal["vanishes", "appears"]
    frame: int
    place: tuple[float, float]


@torch.no_grad()
def object_cells(judge: Judge, clip: UInt8[np.ndarray, "F H W 3"]) -> Bool[np.ndarray, "F h w"]:
    """Return the cells of 4 x 4 pixels in which the judge sees a main object."""
    if shown_size(*clip.shape[1:3]) != clip.shape[1:3]:
        raise ValueError(
            f"objects are followed in clips of the 128-pixel class, not {clip.shape[2]}x{clip.shape[1]}"
        )
    rows, columns = cells_of(*clip.shape[1:3])
    parts = [judge.see(part).main for part in to_frames(clip).split(FRAMES_AT_ONCE)]
    return (torch.cat(parts)[:, rows, columns] > 0).numpy()


def find_losses(
    clip: UInt8[np.ndarray, "F H W 3"], cells: Bool[np.ndarray, "F h w"]
) -> tuple[list[Loss], int]:
    """Return what vanishes and what appears in a clip whose camera stands still, and how many objects were followed.

    `cells` say where objects are (`object_cells`). Of a clip of at least 2 * `BEGINNING` + `PATIENCE` frames.
    """
    gone, followed = _gone(clip, cells)
    come, back = _gone(clip[::-1], cells[::-1])
    last = len(clip) - 1
    losses = [Loss("vanishes", frame, place) for frame, place in gone]
    losses += [Loss("appears", last - frame + 1, place) for frame, place in come]
    return losses, followed + back


def _gone(
    clip: UInt8[np.ndarray, "F H W 3"], cells: Bool[np.ndarray, "F h w"]
) -> tuple[list[tuple[int, tuple[float, float]]], int]:
    """Return (frame, place) of every object of the first frames that is missed in the last, and how many there were."""
    height, width = clip.shape[1:3]
    masks = _distinct(clip[:BEGINNING], np.stack(_linked(cells[:BEGINNING])))
    tracks = track(clip, masks, range(1, int(masks.max()) + 1))
    found = []
    for path in tracks.values():
        others = [other for other in tracks.values() if other is not path]
        frame = _last_seen(path, others)
        if len(clip) - 1 - frame < PATIENCE:
            continue
        place, radius = path.path[frame], float(np.sqrt(path.area[:BEGINNING].max() / np.pi))
        speed = np.linalg.norm(path.path[frame] - path.path[max(0, frame - 1)])
        margin = radius + EDGE + speed
        inside = bool(np.all(place > margin) and place[0] < width - margin and place[1] < height - margin)
        if inside and not _near(cells[-PATIENCE:], place, radius):
            found.append((frame + 1, (round(float(place[0]), 1), round(float(place[1]), 1))))
    return found, len(tracks)


def _last_seen(path: Track, others: Sequence[Track]) -> int:
    """Return the last frame in which an object was seen as itself.

    Found again where another one is that was never lost, it was taken for that one.
    """
    seen = path.seen.copy()
    missed = np.flatnonzero(~seen)
    if len(missed):
        for other in others:
            same = np.hypot(*(path.path - other.path).T) < np.sqrt(np.maximum(other.area, 1) / np.pi)
            if other.seen.all():
                seen[missed[0] :] &= ~same[missed[0] :]
    return int(np.flatnonzero(seen)[-1])


def _near(cells: Bool[np.ndarray, "F h w"], place: np.ndarray, radius: float) -> bool:
    """Whether the judge sees an object around a place in most of the frames: then it was only lost."""
    rows, columns = np.mgrid[: cells.shape[1], : cells.shape[2]] * CELL + CELL / 2
    close = np.hypot(columns - place[0], rows - place[1]) <= radius + CELL
    return bool((cells & close).any(axis=(1, 2)).mean() > 0.5)


def _linked(cells: Bool[np.ndarray, "F h w"]) -> list[Int[np.ndarray, "h w"]]:
    """Return labels 1, 2, ... of the first frame's objects in all frames; an object keeps the label nearest to it."""
    first = label(cells[0])
    linked, places = [first], {n: centroid(first == n) for n in range(1, int(first.max()) + 1)}
    for frame in cells[1:]:
        blobs, taken = label(frame), np.zeros_like(first)
        for blob in range(1, int(blobs.max()) + 1):
            if not places:
                break
            middle = centroid(blobs == blob)
            number = min(places, key=lambda n: float(np.hypot(*(places[n] - middle))))
            if np.hypot(*(places[number] - middle)) <= 3 and not (taken == number).any():
                taken[blobs == blob] = number
                places[number] = middle
        linked.append(taken)
    kept = [n for n in range(1, int(first.max()) + 1) if all((labels == n).any() for labels in linked)]
    return [
        sum((i * (labels == n) for i, n in enumerate(kept, 1)), np.zeros_like(first)) for labels in linked
    ]


def label(cells: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Return the connected pieces of at least `LEAST_CELLS` cells, numbered from 1; sides connect and corners too."""
    numbers = np.where(cells, np.arange(1, cells.size + 1).reshape(cells.shape), 0)
    while True:
        padded = np.pad(numbers, 1)
        height, width = cells.shape
        around = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
        spread = np.where(cells, np.max(around, axis=0), 0)
        if np.array_equal(spread, numbers):
            break
        numbers = spread
    values, counts = np.unique(numbers[cells], return_counts=True)
    labels = np.zeros(cells.shape, int)
    for number, value in enumerate(values[counts >= LEAST_CELLS], 1):
        labels[numbers == value] = number
    return labels


def _distinct(
    frames: UInt8[np.ndarray, "F H W 3"], labels: Int[np.ndarray, "F h w"]
) -> UInt8[np.ndarray, "F H W"]:
    """Return pixel masks of labelled cells: the pixels around them and those whose colour is found around them left out.

    Cells are coarse, and a judge sees an object a little beside its place.
    """
    masks = np.zeros(frames.shape[:3], np.uint8)
    for number in range(1, int(labels.max()) + 1):
        near = _widened(labels == number, 1)
        inside, ring = pixels_of(near, frames), pixels_of(_widened(near, 1) & ~near, frames)
        for frame, picture in enumerate(frames.astype(np.float32)):
            own, around = picture[inside[frame]], picture[ring[frame]]
            if not len(around):
                continue
            away = np.linalg.norm(own[:, None] - around[None], axis=-1).min(axis=1)
            masks[frame][inside[frame]] = np.where(away > DISTINCT, number, masks[frame][inside[frame]])
    return masks


def pixels_of(cells: np.ndarray, clip: UInt8[np.ndarray, "F H W 3"]) -> np.ndarray:
    """Return cells [F, h, w] of 4 x 4 pixels as pixels [F, H, W] of the clip."""
    return cells.repeat(CELL, axis=1).repeat(CELL, axis=2)[:, : clip.shape[1], : clip.shape[2]]


def erase(
    clip: UInt8[np.ndarray, "F H W 3"], mask: Bool[np.ndarray, "F H W"], frame: int
) -> UInt8[np.ndarray, "F H W 3"] | None:
    """Return a render with an object taken out from `frame` on, for a test of the detector.

    Its place is filled from the frame nearest in time that shows what is behind it; None where no frame does. The
    camera must stand still.
    """
    wide = _widened(mask, 3)
    result = clip.copy()
    for at in range(frame, len(clip)):
        missing = wide[at].copy()
        for other in sorted(range(len(clip)), key=lambda other: abs(other - at)):
            fill = missing & ~wide[other]
            result[at][fill] = clip[other][fill]
            missing &= ~fill
        if missing.any():
            return None
    return result


def _widened(mask: Bool[np.ndarray, "F H W"], reach: int) -> Bool[np.ndarray, "F H W"]:
    """Return masks grown by `reach` on all sides."""
    grown = torch.from_numpy(mask.astype(np.float32))[:, None]
    return F.max_pool2d(grown, 2 * reach + 1, stride=1, padding=reach)[:, 0].numpy() > 0
