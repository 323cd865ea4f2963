"""How long a run lasts and what the learning rate is at each step.

The rate is a function of the step and the planned total alone, so that a resumed run repeats it exactly. A run
with a time budget measures its own speed and *plans* a total; every plan is written to disk before it takes
effect and remains in force from its step on, so a resumed run reads the same totals.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worldloom.core.config import to_dict
from worldloom.core.error import UsageError
from worldloom.core.file import read_json, write_json


@dataclass(frozen=True)
class ScheduleConfig:
    """The run ends after `steps` steps or `minutes` of wall time, whichever comes first; 0 sets no limit."""

    steps: int = 0
    minutes: float = 0.0
    warmup_steps: int = 50
    decay_fraction: float = 0.5
    decay: Literal["cosine", "linear"] = "cosine"
    final_rate: float = 0.02


def check(config: ScheduleConfig) -> None:
    """Raise UsageError for a schedule without an end, or with a decay of impossible length."""
    if config.steps <= 0 and config.minutes <= 0:
        raise UsageError("schedule.steps and schedule.minutes are both 0; give one of them to end the run")
    if not 0 <= config.decay_fraction <= 1:
        raise UsageError(f"schedule.decay_fraction is {config.decay_fraction}; allowed is 0 to 1")


def learning_rate(step: int, total: int | None, config: ScheduleConfig) -> float:
    """Multiplier in [0, 1] for `step`: linear warm-up, constant, decay to `final_rate` over the last part.

    `total` None means no plan exists yet: only warm-up and constant apply.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if total is None:
        return warm
    start = decay_start(total, config)
    if step < start:
        return warm
    progress = min(1.0, (step - start) / max(1, total - start))
    shape = 0.5 * (1 + math.cos(math.pi * progress)) if config.decay == "cosine" else 1 - progress
    return warm * (config.final_rate + (1 - config.final_rate) * shape)


def decay_start(total: int, config: ScheduleConfig) -> int:
    """First step of the decay."""
    return total - round(total * config.decay_fraction)


class Plan:
    """The totals decided so far, each in force from a step on; kept in the file `path`."""

    def __init__(self, config: ScheduleConfig, path: Path) -> None:
        self.config = config
        self.path = path
        self.entries: list[dict[str, int]] = []
        self.reload()

    def reload(self) -> None:
        """Read what another process planned."""
        self.entries = read_json(self.path)["totals"] if self.path.exists() else []

    def settle(self, step: int, seconds_per_step: float | None, seconds: float) -> None:
        """At the start of an attempt: keep the stored plan, or plan anew where the schedule was changed.

        Args:
            step: steps done so far.
            seconds_per_step: speed of the earlier attempts, None where there was none.
            seconds: wall time of the earlier attempts.
        """
        if self.path.exists() and read_json(self.path)["schedule"] == to_dict(self.config):
            return
        self.entries = [entry for entry in self.entries if entry["from_step"] < step]
        if self.config.minutes and seconds_per_step:
            self._append(step, self._reachable(step, seconds, seconds_per_step))
        elif self.config.steps:
            self._append(step, self.config.steps)
        else:
            self._write()

    def total(self, step: int) -> int | None:
        """The total in force at `step`, None where none is known yet."""
        known = [entry["total"] for entry in self.entries if entry["from_step"] <= step]
        return known[-1] if known else None

    def rate(self, step: int) -> float:
        """The learning-rate multiplier of `step`."""
        return learning_rate(step, self.total(step), self.config)

    def finished(self, step: int) -> bool:
        """Whether `step` steps are all there is to do."""
        total = self.total(step)
        return total is not None and step >= total

    def revise(self, step: int, seconds: float, seconds_per_step: float) -> bool:
        """With a time budget: plan the total anew from the speed measured lately; returns whether it changed.

        Args:
            step: steps done; the new total is in force from here on.
            seconds: wall time of the run so far.
            seconds_per_step: recent speed, everything included (saving, sampling).
        """
        if not self.config.minutes:
            return False
        known = self.entries[-1] if self.entries else None
        if known and step <= known["from_step"]:
            return False  # a resumed run repeats steps whose totals are decided
        if known and step > 0.97 * known["total"]:
            return False  # the last steps of a decay are too few to gain from another plan
        self._append(step, self._reachable(step, seconds, seconds_per_step))
        return True

    def _reachable(self, step: int, seconds: float, seconds_per_step: float) -> int:
        left = max(0.0, self.config.minutes * 60 - seconds)
        reachable = max(step + 1, step + int(left / seconds_per_step))
        return min(reachable, self.config.steps) if self.config.steps else reachable

    def _append(self, step: int, total: int) -> None:
        self.entries.append({"from_step": step, "total": total})
        self._write()

    def _write(self) -> None:
        write_json(self.path, {"schedule": to_dict(self.config), "totals": self.entries})
