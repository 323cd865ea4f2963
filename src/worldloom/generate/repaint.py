"""Given footage painted anew: noised to a level and denoised, everywhere or inside a region."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from worldloom.generate.canvas import Canvas
from worldloom.generate.conform import Frames, stretch
from worldloom.generate.layout import Painter
from worldloom.generate.region import blend, free_cells
from worldloom.generate.size import Size
from worldloom.generate.window import CONTEXT, STRIDE


def repaint(painter: Painter, frames: Frames, level: float, region: np.ndarray | None) -> Iterator[Frames]:
    """Yield footage of any size edited from a noise level, one canvas at a time; each sees the end of the edit before it.

    `region` is bool [F, H, W] or None; outside it the pixels stay to the bit.
    """
    size = Size(frames.shape[2], frames.shape[1])
    longest = painter.engine.span.longest
    context = min(CONTEXT, longest - STRIDE)  # both are 4n + 1
    windows = edit_windows(len(frames), longest, context)
    painter.expect(len(windows))
    painter.journal.check_given(frames, *([] if region is None else [region]))
    tail = frames[:0]
    for start, stop in windows:
        source, inside = frames[start:stop], None if region is None else region[start:stop]
        lay_out = partial(_lay_out, painter, tail, source, level, inside)
        painted = np.concatenate(list(painter.paint(lay_out, slice(len(tail), len(tail) + len(source)))))
        edited = stretch(painted, size)
        edited = edited if inside is None else blend(source, edited, inside)
        yield edited
        tail = np.concatenate([tail, edited])[-context:]
        tail = tail[(len(tail) - 1) % STRIDE :]


def edit_windows(num_frames: int, longest: int, context: int) -> list[tuple[int, int]]:
    """Return (start, stop) of each stretch that one canvas edits; later ones leave room for `context` frames."""
    windows = [(0, min(num_frames, longest))]
    while (start := windows[-1][1]) < num_frames:
        windows.append((start, min(num_frames, start + longest - context)))
    return windows


def _lay_out(
    painter: Painter, tail: Frames, source: Frames, begin: float, inside: np.ndarray | None
) -> Canvas:
    """Return a canvas on which `tail` (4a + 1 frames or none) is known and `source` begins at noise level `begin`."""
    held = -(len(tail) + len(source) - 1) % STRIDE  # the last frame held, to fill a latent frame
    frames = np.concatenate([tail, source, np.repeat(source[-1:], held, axis=0)])
    canvas = painter.engine.canvas(painter.size, len(frames))
    level = torch.full_like(canvas.start, begin)
    if inside is not None:
        level *= _free(inside, len(tail), held, canvas).to(level)
    if len(tail):
        level[: (len(tail) - 1) // STRIDE + 1] = 0.0
    return canvas.begin_from(painter.engine.encode(stretch(frames, painter.size)), level)


def _free(inside: np.ndarray, before: int, held: int, canvas: Canvas) -> Tensor:
    """Return which latent cells hold a pixel of the region, float [f, h, w]; its first and last frames are held."""
    region = np.pad(inside, ((before, held), (0, 0), (0, 0)), mode="edge")
    frames, rows, columns = canvas.start.shape
    return free_cells(region, (frames, rows, columns), STRIDE)
