"""The diary of a run: JSON lines always, TensorBoard where it is installed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG_NAME = "log.jsonl"


class RunLog:
    """Appends to `folder/log.jsonl`, one JSON object a line, and mirrors scalars to TensorBoard.

    A resumed run passes `keep_until`, the step it resumes from: later lines, written by the attempt that was
    killed, are dropped, so that the log tells one story. A half-written last line is dropped as well.
    """

    def __init__(
        self, folder: str | os.PathLike[str], keep_until: int | None = None, tensorboard: bool = True
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / LOG_NAME
        if self.path.exists():
            _mend(self.path, keep_until)
        # Buffered by the line, so that a kill loses none.
        self._file = open(self.path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._board = None
        if tensorboard and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter  # slow to import, and optional

            purge = None if keep_until is None else keep_until + 1
            self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=purge, flush_secs=30)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Record one number; `name` may hold a slash to group, as in `loss/train`."""
        value = float(value)
        self._write({"step": step, "name": name, "value": value})
        if self._board is not None:
            self._board.add_scalar(name, value, step)

    def event(self, fields: Mapping[str, Any]) -> None:
        """Record anything JSON can hold; a `step` field ties it to the run's clock."""
        self._write(dict(fields))

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, fields: dict[str, Any]) -> None:
        record = {"time": round(time.time(), 3), **fields}
        self._file.write(json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n")


def read_log(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return every record of a run's log in order."""
    with open(Path(folder) / LOG_NAME, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _finite(value: Any) -> Any:
    """Spell nan and inf as strings: JSON has no word for them, and a diverging run is worth reading."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _mend(path: Path, keep_until: int | None) -> None:
    """Drop what an interrupted run left behind: an unfinished last line, and steps past `keep_until`."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _belongs(json.loads(line), keep_until)]
    if kept != lines:
        temporary = path.with_suffix(".part")
        temporary.write_text("".join(kept), encoding="utf-8")
        os.replace(temporary, path)


def _belongs(record: dict[str, Any], keep_until: int | None) -> bool:
    return keep_until is None or record.get("step", 0) <= keep_until
