"""A progress bar on stderr that is silent when nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

FIRST_TASK = TaskID(0)


class Rate(ProgressColumn):
    """Units per second since the bar began; rich's own estimate jumps when steps are long."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        rate = task.completed / task.elapsed if task.elapsed else 0.0
        return Text(f"{rate:.3g} {self.unit}/s")


class Bar:
    """The handle that `progress` yields; without a terminal its calls do nothing."""

    def __init__(self, display: Progress | None = None, task: TaskID = FIRST_TASK) -> None:
        self.display, self.task = display, task

    def advance(self, count: float = 1, note: str | None = None) -> None:
        """Move on by `count` units; `note` is shown at the end of the line (a loss, a file name)."""
        if self.display is not None:
            self.display.update(self.task, advance=count)
            if note is not None:
                self.display.update(self.task, note=note)

    def jump(self, completed: float, total: float | None = None) -> None:
        """Set the units done, as after a resume, and their total where it has become another."""
        if self.display is not None:
            self.display.update(self.task, completed=completed, total=total)


@contextmanager
def progress(total: float | None, label: str, quiet: bool = False, unit: str = "it") -> Iterator[Bar]:
    """Yield a `Bar` over `total` units (None: unknown) with time left and `unit`/s; silent off a terminal."""
    if quiet or not sys.stderr.isatty():
        yield Bar()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        Rate(unit),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        yield Bar(display, display.add_task(label, total=total, note=""))
