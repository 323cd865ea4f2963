"""Camera consistency: whether the floor stays one plane while the camera moves over it.

Pictures of a plane from two places are related by a homography. The floor's optical flow is fitted by one; what the
fit leaves over is texture that swims.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8

from worldloom.evaluate.optical_flow import flow_of_clip, optical_flow, warp

GAP = 4
"""Frames between the pictures of a pair: a quarter of a second, some pixels of motion."""
CELL = 4
"""Pixels along the side of the cells whose flow is fitted."""
HORIZON = 0.45
"""Share of the picture's height above which there may be sky."""
TEXTURE = 3.0
"""Least standard deviation, in levels of 255, along the weaker direction of a cell's surroundings."""
LEAST = 0.25
"""Share of the lower picture's cells that a fit needs: with fewer it would be things that are fitted, not the floor."""
REFINEMENTS = 2
ROUNDS = 12
"""Of reweighting: things on the floor move by laws of their own and lose their weight."""


@dataclass(frozen=True)
class Plane:
    """Medians over the floor's cells and the clip's pairs of frames, in pixels.

    `residual`: distance of the flow from the best homography; `motion`: length of the flow; `cells`: how many there
    were to a pair. The first two are None where the floor has too little texture.
    """

    residual: float | None
    motion: float | None
    cells: float


def floor_plane(clip: UInt8[np.ndarray, "F H W 3"]) -> Plane:
    """Fit one homography to the lower picture of every pair of frames a quarter of a second apart.

    Chained over the frames between them it is near; then the later frame is warped by it, and what flow is left, which
    is small and therefore exact, refines it twice.
    """
    starts = range(0, len(clip) - GAP, GAP)
    places = [_floor_cells(clip[start]) for start in starts]
    cells = float(np.mean([len(points) for points in places]))
    needed = LEAST * (1 - HORIZON) * (clip.shape[1] // CELL) * (clip.shape[2] // CELL)
    kept = [(start, points) for start, points in zip(starts, places, strict=True) if len(points) >= needed]
    if not kept:
        return Plane(None, None, cells)
    steps = flow_of_clip(clip)
    matrices = [_chained(steps[start : start + GAP], points) for start, points in kept]
    firsts = np.stack([clip[start] for start, _ in kept])
    seconds = np.stack([clip[start + GAP] for start, _ in kept])
    for _ in range(REFINEMENTS):
        left = optical_flow(firsts, _warped(seconds, matrices))
        # What is seen at p + left in the warped picture stands at the matrix's image of that point in the true one.
        targets = [
            _project(matrix, points + _at(field, points))
            for matrix, field, (_, points) in zip(matrices, left, kept, strict=True)
        ]
        matrices = [fit(points, target) for (_, points), target in zip(kept, targets, strict=True)]
    misses = [
        np.median(np.linalg.norm(_project(matrix, points) - target, axis=-1))
        for matrix, target, (_, points) in zip(matrices, targets, kept, strict=True)
    ]
    motions = [
        np.median(np.linalg.norm(target - points, axis=-1))
        for target, (_, points) in zip(targets, kept, strict=True)
    ]
    return Plane(float(np.median(misses)), float(np.median(motions)), cells)


def fit(before: Float[np.ndarray, "N 2"], after: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "3 3"]:
    """Return the homography that takes `before` to `after`, fitted robustly: what obeys another law loses its weight."""
    centre, scale = before.mean(axis=0), max(float(np.abs(before - before.mean(axis=0)).mean()), 1e-6)
    source, target = (before - centre) / scale, (after - centre) / scale
    weights = np.ones(len(source))
    for _ in range(ROUNDS):
        matrix = _homography(source, target, weights)
        left = np.linalg.norm(_project(matrix, source) - target, axis=-1)
        spread = max(1.5 * float(np.median(left)), 0.05 / scale)
        weights = 1 / (1 + (left / spread) ** 2)
    normal = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, scale]])
    return np.linalg.inv(normal) @ matrix @ normal


def _chained(
    steps: Float[np.ndarray, "G H W 2"], points: Float[np.ndarray, "N 2"]
) -> Float[np.ndarray, "3 3"]:
    """Return the homography over several frames, from the flow of each step."""
    matrix = np.eye(3)
    for field in steps:
        matrix = fit(points, points + _at(field, points)) @ matrix
    return matrix


def _warped(frames: UInt8[np.ndarray, "N H W 3"], matrices: list[np.ndarray]) -> UInt8[np.ndarray, "N H W 3"]:
    """Return each frame read at its matrix's image of every pixel."""
    height, width = frames.shape[1:3]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2).astype(float)
    fields = [(_project(matrix, grid) - grid).reshape(height, width, 2) for matrix in matrices]
    flow = torch.from_numpy(np.stack(fields)).float().permute(0, 3, 1, 2)
    pictures = torch.from_numpy(frames).float().permute(0, 3, 1, 2)
    return warp(pictures, flow).round().byte().permute(0, 2, 3, 1).numpy()


def _homography(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """The direct linear transform: the matrix whose projections of `source` miss `target` least, algebraically."""
    x, y, zero, one = source[:, 0], source[:, 1], np.zeros(len(source)), np.ones(len(source))
    u, v = target[:, 0], target[:, 1]
    rows = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], axis=1),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], axis=1),
        ]
    )
    _, vectors = np.linalg.eigh(rows.T @ (rows * np.tile(weights, 2)[:, None]))
    return vectors[:, 0].reshape(3, 3)


def _project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / np.where(np.abs(mapped[:, 2:]) < 1e-9, 1e-9, mapped[:, 2:])


def _floor_cells(frame: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "N 2"]:
    """Return the middles (x, y) of the textured cells of the lower picture, in pixels."""
    there = _textured(frame)
    there[: -(-int(HORIZON * frame.shape[0]) // CELL)] = False
    rows, columns = np.nonzero(there)
    return np.stack([columns, rows], axis=-1) * CELL + (CELL - 1) / 2


def _at(field: Float[np.ndarray, "H W 2"], points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    """Return the mean flow of the cells with those middles."""
    height, width = field.shape[0] // CELL, field.shape[1] // CELL
    cells = field[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL, 2).mean(axis=(1, 3))
    places = (points // CELL).astype(int)
    return cells[places[:, 1], places[:, 0]]


def _textured(frame: UInt8[np.ndarray, "H W 3"]) -> np.ndarray:
    """Return the cells whose surroundings change along every direction, bool [h, w]: elsewhere flow is a guess."""
    luma = torch.from_numpy(frame).float().mean(-1)[None, None]
    x = F.pad(luma[..., :, 1:] - luma[..., :, :-1], (0, 1))
    y = F.pad(luma[..., 1:, :] - luma[..., :-1, :], (0, 0, 0, 1))
    xx, yy, xy = (F.avg_pool2d(product, 3 * CELL, CELL, CELL) for product in (x * x, y * y, x * y))
    weaker = (xx + yy) / 2 - (((xx - yy) / 2) ** 2 + xy * xy).sqrt()
    rows, columns = frame.shape[0] // CELL, frame.shape[1] // CELL
    return (weaker[0, 0, :rows, :columns].clamp(min=0).sqrt() >= TEXTURE / 2).numpy()
