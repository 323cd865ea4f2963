"""What every suite returns: figures beside their ceilings, contact sheets, and the cases behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.file import write_json
from worldloom.core.picture import write_picture
from worldloom.evaluate.interval import bootstrap, bootstrap_mean, resampled, wilson

SEEDS = 1000
"""A suite draws its takes by a seed from 0 to one below this."""

Unit = Literal["", "%", "dB", "x", "px", "levels"]
"""How a value is read: "%" is a share of 1, "levels" are of 255, "x" is a ratio."""


@dataclass(frozen=True)
class Figure:
    """A measured value, its 95 % interval, and how many clips it is of; None: there was nothing to measure."""

    value: float | None = None
    interval: tuple[float, float] | None = None
    count: int = 0


def share(answers: Sequence[bool]) -> Figure:
    """Return the share of answers that are true, with its Wilson interval."""
    right = sum(map(bool, answers))
    return Figure(right / len(answers), wilson(right, len(answers)), len(answers)) if answers else Figure()


def mean(values: Sequence[float]) -> Figure:
    """Return the mean over clips, with its bootstrap interval."""
    return Figure(float(np.mean(values)), bootstrap_mean(values), len(values)) if values else Figure()


def median(values: Sequence[float]) -> Figure:
    """Return the median over clips, with its bootstrap interval."""
    return Figure(float(np.median(values)), bootstrap(values, np.median), len(values)) if values else Figure()


def ratio(values: Sequence[float], others: Sequence[float]) -> Figure:
    """Return the ratio of two means over clips, with its bootstrap interval; `others` must not be all 0."""
    if not values or not others or not np.any(others):
        return Figure()
    means = [resampled(sample, np.mean) for sample in (values, others)]
    low, high = np.quantile(means[0] / np.maximum(means[1], 1e-12), [0.025, 0.975])
    return Figure(float(np.mean(values) / np.mean(others)), (float(low), float(high)), len(values))


def check_seed(seed: int) -> None:
    """Raise UsageError unless a suite can be drawn by this seed."""
    if not 0 <= seed < SEEDS:
        raise UsageError(f"the suite's seed is from 0 to {SEEDS - 1}, not {seed}")


@dataclass(frozen=True)
class Line:
    """One row of a suite's table. `real` is what real renders score with the same measure: the ceiling.

    `wanted` is the acceptance in words and `met` whether the model's figure reaches it; both are empty where none is
    set. A row that only one side has (nothing generated, no real counterpart) leaves the other an empty `Figure`.
    """

    what: str
    model: Figure = Figure()
    real: Figure = Figure()
    unit: Unit = ""
    wanted: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class SuiteResult:
    """A suite's outcome. `settings` hold seeds, counts and hashes; `notes` say how the numbers are made.

    `sheets` are pictures uint8 [H, W, 3] by name; `cases` are plain values, one mapping for each clip.
    """

    suite: str
    model: str
    lines: tuple[Line, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sheets: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    cases: list[dict[str, Any]] = field(default_factory=list, repr=False)
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return everything but the pictures and the cases as plain values."""
        return {
            "suite": self.suite,
            "model": self.model,
            "settings": self.settings,
            "lines": [asdict(line) for line in self.lines],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 1),
        }

    def save(self, folder: Path) -> list[Path]:
        """Write `SUITE.json` (with every case) and `SUITE-NAME.png` for each sheet; returns the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.suite}.json"]
        write_json(paths[0], {**self.plain(), "cases": self.cases})
        for name, picture in self.sheets.items():
            paths.append(folder / f"{self.suite}-{name}.png")
            write_picture(paths[-1], picture, force=True)
        return paths
