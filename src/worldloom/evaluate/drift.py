"""The *drift* suite: whether a long clip still looks at its end as it did at its beginning.

Windows are painted one after the other, each from the end of the one before, and what each does a little wrong adds
up: pictures grow pale, soft or still. Prompts are captions of held-out takes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import UInt8

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import derive_seed
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.examples import SEED_BASE
from worldloom.evaluate.seam import LUMA
from worldloom.evaluate.studio import Studio
from worldloom.evaluate.suite import Figure, Line, SuiteResult, check_seed, median, share
from worldloom.generate.look import sharpness_of
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.render import render_take

FIRST_SEED = SEED_BASE + 3 * 10**12
"""World seeds of the drift suite's takes; other suites' lie below."""
MOST = 10**6
WITHIN = 0.1  # the acceptance: change of brightness, contrast and sharpness
OFTEN = 0.8
"""Share of runs that must be within `WITHIN` in all three."""
JUDGED = ("brightness", "contrast", "sharpness")
SHOWN = 12  # frames of a run on the sheet


@dataclass(frozen=True)
class DriftSuite:
    """How many clips are painted, how long they are, and how much of each end is compared."""

    runs: int = 10
    seconds: float = 60.0
    end_seconds: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.runs <= MOST:
            raise UsageError(f"drift is measured in 1 to {MOST} runs, not {self.runs}")
        if not 0 < self.end_seconds <= self.seconds / 2:
            raise UsageError(
                f"the ends compared are {self.end_seconds:g} s long; more than 0 and at most half of the clip's "
                f"{self.seconds:g} s are possible"
            )
        check_seed(self.seed)


@dataclass(frozen=True)
class Look:
    """What a stretch of footage looks like, in levels of 255; means over its frames.

    brightness: mean luma. contrast: deviation of the luma within a frame. saturation: largest less smallest of a
    pixel's three colours. sharpness: absolute Laplacian of the luma. motion: absolute change from frame to frame.
    """

    brightness: float
    contrast: float
    saturation: float
    sharpness: float
    motion: float

    def over(self, other: Look) -> dict[str, float]:
        """Return each measure over the other stretch's, which counts as a hundredth of a level at least."""
        return {f.name: getattr(self, f.name) / max(getattr(other, f.name), 0.01) for f in fields(self)}


def look_of(frames: UInt8[np.ndarray, "F H W 3"]) -> Look:
    """Return the look of at least two frames, of at least 3 x 3 pixels."""
    sums = np.zeros(3)
    moved = 0.0
    for number, frame in enumerate(frames):
        luma = frame @ LUMA
        colour = frame.max(axis=-1).astype(np.float64) - frame.min(axis=-1)
        sums += luma.mean(), luma.std(), colour.mean()
        if number:
            moved += np.abs(frame.astype(np.int16) - frames[number - 1]).mean()
    brightness, contrast, saturation = (float(value) for value in sums / len(frames))
    return Look(brightness, contrast, saturation, sharpness_of(frames), float(moved / (len(frames) - 1)))


def find_drift(
    clip: UInt8[np.ndarray, "F H W 3"], fps: float | Fraction, end_seconds: float = 5.0
) -> dict[str, float]:
    """Return brightness, contrast, saturation, sharpness and motion of a clip's last seconds over its first ones'."""
    count = round(end_seconds * fps)
    if not 2 <= count <= len(clip) // 2:
        raise ValueError(f"ends of {count} frames cannot be compared in a clip of {len(clip)}")
    return look_of(clip[-count:]).over(look_of(clip[:count]))


def run_drift(suite: DriftSuite, studio: Studio, *, quiet: bool = False) -> SuiteResult:
    """Paint long clips of all families in turn and compare their ends."""
    start, fps, names = time.monotonic(), studio.card.fps, list(FAMILIES)
    rows: list[dict[str, Any]] = []
    strips: list[np.ndarray] = []
    with progress(suite.runs, "drift", quiet, "clips") as bar:
        for number in range(suite.runs):
            family, world = names[number % len(names)], FIRST_SEED + suite.seed * MOST + number
            prompt = render_take(family, world, num_frames=2, wordings=1).captions["en"]["medium"][0]
            seed = derive_seed("drift", suite.seed, number) % 2**31
            clip = studio.paint("generate", prompt, seed=seed, num_frames=round(suite.seconds * fps))
            ratios = find_drift(clip, fps, suite.end_seconds)
            rows.append({"family": family, "world_seed": world, "prompt": prompt, "seed": seed, **ratios})
            strips.append(clip[np.linspace(0, len(clip) - 1, SHOWN).round().astype(int)])
            bar.advance()
    return SuiteResult(
        suite="drift",
        model=studio.model,
        lines=lines(rows),
        settings={**asdict(suite), "first world seed": FIRST_SEED + suite.seed * MOST, **studio.settings},
        notes=NOTES,
        sheets={"runs": contact_sheet(strips, SHOWN, [row["family"] for row in rows])},
        cases=rows,
        seconds=time.monotonic() - start,
    )


NOTES = (
    "each figure: the last seconds of a clip over its first ones, median over runs with its bootstrap interval",
    "sharpness: absolute Laplacian of the luma; motion: absolute change from frame to frame",
)


def lines(rows: Sequence[Mapping[str, Any]]) -> tuple[Line, ...]:
    """Return the table: the runs that hold, and the ratio of each measure."""
    held = share([all(abs(row[name] - 1) <= WITHIN for name in JUDGED) for row in rows])
    wanted = f"at least {OFTEN:.0%} of runs"
    met = held.value is not None and held.value >= OFTEN
    ratios = [
        Line(name, _ratio(rows, name), unit="x", wanted=f"1 +- {WITHIN:g}" if name in JUDGED else "")
        for name in (f.name for f in fields(Look))
    ]
    return (Line(f"{', '.join(JUDGED)} within {WITHIN:.0%}", held, unit="%", wanted=wanted, met=met), *ratios)


def _ratio(rows: Sequence[Mapping[str, Any]], name: str) -> Figure:
    return median([float(row[name]) for row in rows])
