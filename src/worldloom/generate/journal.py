"""What of a request is finished, on disk: an interrupted run that goes on need not paint it again.

A request is painted canvas by canvas, and a canvas depends on its number, the seed and frames before it alone. So the
finished frames are all the state there is: a run that goes on reads them where it would have painted, and everything
after them (scaling, coding) runs again. What comes out is the same to the bit.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import machine_trouble, read_json, whole_file, write_json
from worldloom.generate.conform import Frames

REQUEST_FILE, LOCK_FILE = "request.json", "lock"


class Journal:
    """Finished canvases of one request, and the number of the next one.

    Without a folder it only counts. In a folder it holds the request's settings, digests of the footage given, and
    `part-N.npz` with the frames wanted of canvas N, compressed without loss, each file whole or absent.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.parts = 0  # canvases begun
        self.is_painting = False  # whether a canvas was painted rather than read

    @contextmanager
    def kept_in(self, folder: Path, settings: Mapping[str, Any], resume: bool) -> Iterator[None]:
        """Keep what is painted in `folder` until the block ends well; after an exception, only if there is something.

        With `resume` the canvases of an earlier run are taken up, if there was one; without, they are deleted. Raises
        UsageError if that run was of another request, or is still running.
        """
        with machine_trouble(folder):
            folder.mkdir(exist_ok=True)
        with open(folder / LOCK_FILE, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"another run is writing into {folder}; wait for its end") from error
            if not resume:
                _clear(folder)
            _check_same(folder / REQUEST_FILE, settings, "was to be")
            self.folder = folder
            try:
                yield
            except BaseException:
                if not self.has_parts:
                    shutil.rmtree(folder)
                raise
            shutil.rmtree(folder)

    @property
    def has_parts(self) -> bool:
        """Whether a canvas is kept."""
        return self.folder is not None and any(self.folder.glob("part-*.npz"))

    def next_part(self) -> int:
        """Return the number of the next canvas; its noise derives from it."""
        self.parts += 1
        return self.parts - 1

    def recall(self, part: int) -> Iterator[Frames] | None:
        """Return the frames of canvas `part` if an earlier run finished it. Raises Failure for a damaged file."""
        path = self._path(part)
        return None if path is None or not path.exists() else _read(path)

    def record(self, part: int, chunks: Iterator[Frames]) -> Iterator[Frames]:
        """Yield the frames of canvas `part` as they come, and keep them once all have come."""
        self.is_painting = True
        path = self._path(part)
        if path is None:
            yield from chunks
            return
        with (
            whole_file(path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        ):
            for number, chunk in enumerate(chunks):
                with file.open(f"{number:05d}.npy", "w") as member:
                    np.lib.format.write_array(member, chunk, allow_pickle=False)
                yield chunk

    def check_given(self, *given: np.ndarray) -> None:
        """Raise UsageError if the run that goes on was given other footage here."""
        if self.folder is not None:
            digests = [hashlib.sha256(np.ascontiguousarray(frames).data).hexdigest() for frames in given]
            name = self.folder / f"given-{self.parts:05d}.json"
            _check_same(name, {"footage": digests}, "was given")

    def _path(self, part: int) -> Path | None:
        return None if self.folder is None else self.folder / f"part-{part:05d}.npz"


def recorded_settings(folder: Path) -> dict[str, Any] | None:
    """Return the settings of the run that was interrupted there, or None where there was none."""
    path = folder / REQUEST_FILE
    return read_json(path) if path.exists() else None


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != LOCK_FILE:
            path.unlink()


def _check_same(path: Path, values: Mapping[str, Any], verb: str) -> None:
    """Write `values`, or raise UsageError naming the first that differs from what an earlier run wrote."""
    if not path.exists():
        write_json(path, values)
        return
    before, values = read_json(path), json.loads(json.dumps(values))  # as it would be read back
    for name in [*values, *before]:
        if before.get(name) != values.get(name):
            raise UsageError(
                f"the interrupted run in {path.parent} {verb} {name} {before.get(name)!r} and this one is "
                f"{values.get(name)!r}; ask for the same, or --force to begin anew"
            )


def _read(path: Path) -> Iterator[Frames]:
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                yield file[name]
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise Failure(f"{path} is damaged ({error}); delete it and its canvas is painted again") from error
