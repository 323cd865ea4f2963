"""What comes out: footage as it is painted, and the clip that it becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.file import check_target
from worldloom.core.picture import write_picture
from worldloom.core.sheet import contact_sheet
from worldloom.core.video import VideoWriter
from worldloom.generate.conform import Frames
from worldloom.generate.size import Size

VIDEO_SUFFIXES = (".mp4",)
PICTURE_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")


@dataclass
class Footage:
    """Frames that are still to be painted: nothing runs until `chunks` is read, and it can be read once.

    `chunks` yields uint8 [n, H, W, 3], `num_frames` frames in all; `settings` is what the file will record.
    """

    size: Size
    fps: Fraction
    num_frames: int
    settings: dict[str, Any]
    chunks: Iterator[Frames]

    def clip(self) -> Clip:
        """Paint everything into memory."""
        return Clip(np.concatenate(list(self.chunks)), self.fps, self.settings)

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Path:
        """Paint straight into a file, frame by frame as they are decoded; it appears only when whole."""
        target = check_output(path, force, VIDEO_SUFFIXES)
        with VideoWriter(
            target, self.size.width, self.size.height, self.fps, self.settings, force=force
        ) as writer:
            for chunk in self.chunks:
                writer.write(chunk)
        return target


@dataclass(frozen=True)
class Clip:
    """Frames uint8 [F, H, W, 3], their rate per second, and the settings that made them."""

    frames: np.ndarray  # checked here, as users make clips of their own
    fps: Fraction
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise UsageError(
                f"a clip's frames are uint8 [F, H, W, 3], not {self.frames.dtype} {list(self.frames.shape)}"
            )
        if not len(self.frames):
            raise UsageError("a clip has at least one frame, not 0")

    @property
    def size(self) -> Size:
        return Size(self.frames.shape[2], self.frames.shape[1])

    @property
    def seconds(self) -> float:
        return float(len(self.frames) / self.fps)

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Path:
        """Write the clip as mp4, or a single frame as png, webp or jpeg, by the name's ending."""
        if len(self.frames) == 1 and Path(path).suffix.lower() in PICTURE_SUFFIXES:
            target = check_output(path, force, PICTURE_SUFFIXES)
            write_picture(target, self.frames[0], self.settings, force=force)
            return target
        return Footage(self.size, self.fps, len(self.frames), self.settings, iter([self.frames])).save(
            path, force
        )

    def sheet(self, columns: int = 8) -> np.ndarray:
        """Return the clip's frames side by side as one picture, uint8 [H, W, 3]."""
        return contact_sheet([self.frames], columns=columns)


def check_output(path: str | os.PathLike[str], force: bool, suffixes: tuple[str, ...]) -> Path:
    """Return `path` if a file of that kind may be written there; raises UsageError otherwise."""
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise UsageError(f"cannot write {target}: its name must end in {' or '.join(suffixes)}")
    return check_target(target, force)
