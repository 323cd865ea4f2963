"""What comes out: footage as it is painted, and the clip that it becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from worldloom.core.draft import DraftWriter
from worldloom.core.error import UsageError
from worldloom.core.fidelity import Chroma, choose_coding
from worldloom.core.file import check_target
from worldloom.core.picture import write_picture
from worldloom.core.sheet import contact_sheet
from worldloom.generate.conform import Frames
from worldloom.generate.journal import Journal, recorded_settings
from worldloom.generate.size import Size

VIDEO_SUFFIXES = (".mp4",)
PICTURE_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")


@dataclass
class Footage:
    """Frames that are still to be painted: nothing runs until `chunks` is read, and it can be read once.

    `chunks` yields uint8 [n, H, W, 3], `num_frames` frames in all; `settings` is what the file will record; `journal`
    is where they are kept as they are painted; `given` are the clips among them that are not painted, which a file
    keeps at 40 dB.
    """

    size: Size
    fps: Fraction
    num_frames: int
    settings: dict[str, Any]
    chunks: Iterator[Frames]
    journal: Journal = field(default_factory=Journal)
    given: tuple[Frames, ...] = ()

    def clip(self) -> Clip:
        """Paint everything into memory."""
        return Clip(np.concatenate(list(self.chunks)), self.fps, self.settings, self.given)

    def save(
        self,
        path: str | os.PathLike[str],
        force: bool = False,
        resume: bool = False,
        chroma: Chroma = "auto",
    ) -> Path:
        """Paint straight into a file, frame by frame as they are decoded; it appears only when whole.

        Until then `OUT.partial.mp4` beside it can be played, and the folder `OUT.partial` holds what is finished. An
        interruption leaves both, and with `resume` the same request goes on from there and comes to the same frames.
        An interrupt is passed on as KeyboardInterrupt saying so. `chroma` is how colours are stored: `420` plays
        everywhere, `444` keeps each pixel's; `auto` takes 4:4:4 only where given frames would not keep 40 dB.
        """
        target = check_output(path, force, VIDEO_SUFFIXES)
        check_beginning(target, force, resume)
        draft, size = draft_of(target), self.size
        coding = choose_coding(self.given, chroma)
        self.settings = {**self.settings, "chroma": coding.chroma}
        writer = DraftWriter(target, draft, size.width, size.height, self.fps, self.settings, force, coding)
        with self.journal.kept_in(folder_of(target), self.settings, resume):
            try:
                with writer:
                    for chunk in self.chunks:
                        if self.journal.is_painting:  # not before it holds as much as an earlier run's draft
                            writer.publish()
                        writer.write(chunk)
            except BaseException as error:
                if not self.journal.has_parts:
                    draft.unlink(missing_ok=True)
                elif isinstance(error, KeyboardInterrupt):
                    raise KeyboardInterrupt(_left(draft, writer)) from error
                raise
        return target


@dataclass(frozen=True)
class Clip:
    """Frames uint8 [F, H, W, 3], their rate per second, the settings that made them, and which clips were given."""

    frames: np.ndarray  # checked here, as users make clips of their own
    fps: Fraction
    settings: dict[str, Any] = field(default_factory=dict)
    given: tuple[Frames, ...] = field(default=(), repr=False)

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

    def save(self, path: str | os.PathLike[str], force: bool = False, chroma: Chroma = "auto") -> Path:
        """Write the clip as mp4, or a single frame as png, webp or jpeg, by the name's ending."""
        if len(self.frames) == 1 and Path(path).suffix.lower() in PICTURE_SUFFIXES:
            target = check_output(path, force, PICTURE_SUFFIXES)
            write_picture(target, self.frames[0], self.settings, force=force)
            return target
        chunks, count = iter([self.frames]), len(self.frames)
        footage = Footage(self.size, self.fps, count, self.settings, chunks, given=self.given)
        return footage.save(path, force, chroma=chroma)

    def sheet(self, columns: int = 8) -> np.ndarray:
        """Return the clip's frames side by side as one picture, uint8 [H, W, 3]."""
        return contact_sheet([self.frames], columns=columns)


def check_output(path: str | os.PathLike[str], force: bool, suffixes: tuple[str, ...]) -> Path:
    """Return `path` if a file of that kind may be written there; raises UsageError otherwise."""
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise UsageError(f"cannot write {target}: its name must end in {' or '.join(suffixes)}")
    return check_target(target, force)


def _left(draft: Path, writer: DraftWriter) -> str:
    seconds = f"{float(writer.num_frames / writer.fps):.1f} s"
    return "interrupted; --resume goes on" + (f" from {draft}, {seconds}" if draft.exists() else "")


def folder_of(target: Path) -> Path:
    """Return where the finished parts of a video are kept until it is whole."""
    return target.with_name(f"{target.stem}.partial")


def draft_of(target: Path) -> Path:
    """Return the file in which an unfinished video can be played."""
    return target.with_name(f"{target.stem}.partial{target.suffix}")


def check_beginning(target: Path, force: bool, resume: bool) -> None:
    """Raise UsageError if an interrupted run would be lost that nobody said to go on with or to drop."""
    if not (force or resume) and recorded_settings(folder_of(target)) is not None:
        raise UsageError(
            f"{folder_of(target)} holds an interrupted run; --resume goes on with it, --force begins anew"
        )
