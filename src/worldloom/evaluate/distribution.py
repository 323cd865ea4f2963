"""The *distribution* suite: how far the model's clips are from real renders as a whole, and how much they vary.

Features are the judge's own, learnt on renders: the last layer before its answers, one vector for each clip.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.distances import frechet, half_sample_interval, mean_pairwise, mmd
from worldloom.evaluate.footage import SECOND_SET, FootageSuite, paint, render_piece, world_of
from worldloom.evaluate.judge import Judge
from worldloom.evaluate.studio import NO_MODEL, Studio
from worldloom.evaluate.suite import Figure, Line, SuiteResult, Unit, mean

LEAST = 4
"""Clips of a family from which its distance is told."""
SHOWN = 12  # prompts on the sheet


@dataclass(frozen=True)
class Variety:
    """Diversity is measured on the first `prompts` takes' captions, each painted with `seeds` seeds."""

    prompts: int = 13
    seeds: int = 3

    def __post_init__(self) -> None:
        if self.prompts < 1 or self.seeds < 2:
            raise UsageError(
                f"diversity needs at least 1 prompt and 2 seeds, not {self.prompts} and {self.seeds}"
            )


NOTES = (
    "features: the judge's last layer before its answers, scaled to mean 0 and deviation 1 over the second set of renders",
    "model: its clips against the second set; real renders: the takes that the prompts describe against the second set",
    "MMD: kernel (x.y / D + 1)^2, unbiased; Frechet: biased at these counts, to be read beside real renders'",
    "distances: intervals from 200 half-samples; seeds: mean distance of clips of one prompt, bootstrap over prompts;",
    "its ceiling: mean distance of real renders of one family, which a prompt leaves less open",
)


def run_distribution(
    suite: FootageSuite,
    judge: Judge,
    studio: Studio | None,
    variety: Variety | None = None,
    *,
    quiet: bool = False,
) -> SuiteResult:
    """Compare the model's clips for the suite's captions with as many renders of other takes."""
    start, variety = time.monotonic(), variety or Variety()
    if suite.takes < LEAST:
        raise UsageError(f"a distribution needs at least {LEAST} takes, not {suite.takes}")
    rows: list[dict[str, Any]] = []
    found: dict[str, list[np.ndarray]] = {"real": [], "second": [], "model": []}
    seeds: list[np.ndarray] = []
    shown: list[tuple[str, np.ndarray]] = []
    with progress(suite.takes, "distribution", quiet, "takes") as bar:
        for number in range(suite.takes):
            piece = render_piece(suite, number, studio, masks=False)
            second = render_piece(suite, SECOND_SET + number, masks=False)
            found["real"].append(judge.features(piece.take.frames))
            found["second"].append(judge.features(second.take.frames))
            if piece.clip is not None:
                found["model"].append(judge.features(piece.clip))
                if number < variety.prompts:
                    again = range(1, variety.seeds)
                    assert studio is not None
                    clips = [piece.clip, *(paint(suite, piece.prompt, piece.seed + n, studio) for n in again)]
                    seeds.append(np.stack([judge.features(clip) for clip in clips]))
                    family = piece.take.family
                    shown += [(f"#{number} {family}, seed {piece.seed + n}", c) for n, c in enumerate(clips)]
            rows.append(piece.describe())
            bar.advance()
    middle, deviation = np.mean(found["second"], axis=0), np.std(found["second"], axis=0)
    scale = np.where(deviation > 1e-6, deviation, 1.0)  # a feature that never changes says nothing

    def scaled(vectors: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        return (np.asarray(vectors) - middle) / scale

    sets = {name: scaled(vectors) for name, vectors in found.items() if vectors}
    families = np.array([str(row["family"]) for row in rows])
    return SuiteResult(
        suite="distribution",
        model=NO_MODEL if studio is None else studio.model,
        lines=(
            *distance_lines(sets, families),
            diversity_line([scaled(group) for group in seeds], sets, families),
        ),
        settings={
            **asdict(suite),
            **({} if studio is None else {**asdict(variety), **studio.settings}),
            "features": f"judge, {len(middle)} values",
            "first world seed": world_of(suite, 0)[1],
        },
        notes=NOTES,
        sheets={"seeds": _sheet(shown[: SHOWN * variety.seeds])} if shown else {},
        cases=rows,
        seconds=time.monotonic() - start,
    )


def distance_lines(sets: Mapping[str, np.ndarray], families: np.ndarray) -> list[Line]:
    """Return the distances from the second set of renders, over all families and for each that has enough clips."""

    def line(what: str, distance: Callable, unit: Unit, chosen: np.ndarray) -> Line:
        def figure(who: str) -> Figure:
            if who not in sets:
                return Figure()
            one, two = sets[who][chosen], sets["second"][chosen]
            return Figure(distance(one, two), half_sample_interval(distance, one, two), len(one))

        return Line(what, figure("model"), figure("real"), unit)

    everyone = np.ones(len(families), bool)
    lines = [line("MMD", mmd, "", everyone), line("Frechet distance", frechet, "", everyone)]
    for family in sorted(set(families)):
        if (chosen := families == family).sum() >= LEAST:
            lines.append(line(f"  MMD, {family}", mmd, "", chosen))
    return lines


def diversity_line(seeds: Sequence[np.ndarray], sets: Mapping[str, np.ndarray], families: np.ndarray) -> Line:
    """Return the mean distance between clips of one prompt, beside that between real renders of one family."""
    real = [
        mean_pairwise(np.concatenate([sets[name][families == family] for name in ("real", "second")]))
        for family in sorted(set(families))
    ]
    return Line("distance between seeds", mean([mean_pairwise(group) for group in seeds]), mean(real))


def _sheet(shown: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    return contact_sheet([clip for _, clip in shown], 8, [text for text, _ in shown])
