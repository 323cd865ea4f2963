"""Contact sheets: many clips at a glance, one row of frames to each, to be looked at by a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from worldloom.core.error import UsageError

GAP = 2
LABEL_HEIGHT = 14
BACKGROUND = 24  # dark grey: neither a black nor a white frame melts into it


def contact_sheet(
    clips: Sequence[UInt8[np.ndarray, "_F _H _W 3"]], columns: int = 8, labels: Sequence[str] | None = None
) -> UInt8[np.ndarray, "_h _w 3"]:
    """Return one picture with a row for each clip: `columns` frames spread evenly from its first to its last.

    Clips may differ in length and size; a clip shorter than `columns` shows each frame once. `labels` stand
    above their rows (Latin letters only: Pillow's own font has no others).
    """
    if not clips or columns < 1:
        raise UsageError(f"a contact sheet needs clips and columns; got {len(clips)} and {columns}")
    if labels is not None and len(labels) != len(clips):
        raise UsageError(f"{len(labels)} labels were given for {len(clips)} clips")
    rows = [_row(clip, columns) for clip in clips]
    if labels is not None:
        rows = [
            np.concatenate([_label(text, row.shape[1]), row]) for text, row in zip(labels, rows, strict=True)
        ]
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=BACKGROUND) for row in rows
    ]
    return np.concatenate(padded)


def _row(clip: UInt8[np.ndarray, "F H W 3"], columns: int) -> UInt8[np.ndarray, "H w 3"]:
    picks = np.unique(np.linspace(0, len(clip) - 1, columns).round().astype(int))
    gap = np.full((clip.shape[1], GAP, 3), BACKGROUND, np.uint8)
    return np.concatenate([piece for index in picks for piece in (clip[index], gap)], axis=1)


def _label(text: str, width: int) -> UInt8[np.ndarray, "h w 3"]:
    image = Image.new("RGB", (width, LABEL_HEIGHT), (BACKGROUND,) * 3)
    ImageDraw.Draw(image).text((2, 1), text, fill=(230, 230, 230))
    return np.asarray(image)
