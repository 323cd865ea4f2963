"""The *causes* suite: change one cause in a world, and the end must change as the simulator says.

Two worlds are alike but for one thing that the first frames show: how high an egg falls, whether it is an egg, how
heavy the block before a pendulum is, whether the screen has a hole, how far the cup is turned. The model continues the
first five frames of both. A pair is answered right when both ends are the simulator's; where they are the same in the
simulator, the pair is left out. Real renders of the pairs are judged by the same means: the ceiling.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import derive_seed
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.judge import Judge
from worldloom.evaluate.judge_training import outcomes_of
from worldloom.evaluate.physics import Continue, followed, scene_prompt
from worldloom.evaluate.rerun import FIRST_SEED, GIVEN, SEEDS_PER_SUITE, Run, run, still_seeds
from worldloom.evaluate.suite import Line, SuiteResult, check_seed, share
from worldloom.evaluate.tracker import Track, paths_of, track
from worldloom.worlds.look import Paint
from worldloom.worlds.stage import set_stage, simulate

WANTED = 0.8
OFFSET = SEEDS_PER_SUITE // 2
"""Pairs use world seeds that the physics suite does not reach."""
GLIMPSE, MIDDLE = 0.25, 0.15
"""A thing is glimpsed through a screen when this share of its area is seen within this share of the screen's width from
its middle."""

Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Cause:
    """What differs between two worlds of a family, how, and how the end is told: by outcome, or by being glimpsed."""

    name: str
    family: str
    fits: Callable[[Any], bool]
    """Whether a world's parameters let the cause be changed."""
    first: Change
    second: Change
    hides: bool = False


CAUSES = (
    Cause(
        "drop height", "fragile", lambda p: p.kind == "egg",
        lambda p: replace(p, cause="low", height=0.03, drift=0.0),
        lambda p: replace(p, cause="drop", height=0.8, drift=0.0),
    ),
    Cause(
        "egg or tomato", "fragile", lambda p: p.kind == "egg",
        lambda p: replace(p, cause="drop", height=0.8, drift=0.0, paint=Paint("yellow", "rubber")),
        lambda p: replace(p, cause="drop", height=0.8, drift=0.0, paint=Paint("yellow", "plastic"), kind="tomato"),
    ),
    Cause(
        "mass of the block", "pendulum", lambda p: p.kind == "block",
        lambda p: replace(p, block_half=(0.08, 0.15, 0.3), block_density=350.0),
        lambda p: replace(p, block_half=(0.2, 0.24, 0.2), block_density=3000.0),
    ),
    Cause(
        "cup upright or upturned", "pour", lambda p: True,
        lambda p: replace(p, plan="upright", angle=14.0),
        lambda p: replace(p, plan="upturned", angle=170.0),
    ),
    Cause(
        "hole in the screen", "occluder", lambda p: p.plan == "pass",
        lambda p: replace(p, hole=False),
        lambda p: replace(p, hole=True),
        hides=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class CauseSuite:
    """Pairs of worlds: `num` of each cause."""

    num: int = 8
    seed: int = 0
    width: int = 128
    height: int = 128
    num_frames: int = 33

    def __post_init__(self) -> None:
        if not 1 <= self.num <= OFFSET:
            raise UsageError(f"the suite takes 1 to {OFFSET} pairs of each cause, not {self.num}")
        check_seed(self.seed)


@dataclass(frozen=True)
class Pair:
    """Two worlds that differ in one cause: what the simulator says of each, and what is seen in the clips."""

    cause: str
    world_seed: int
    truth: tuple[str, str]
    real: tuple[str, str]
    painted: tuple[str, str] | None
    clips: tuple[np.ndarray, ...] = field(repr=False)

    @property
    def real_right(self) -> bool:
        return self.real == self.truth

    @property
    def right(self) -> bool | None:
        return None if self.painted is None else self.painted == self.truth


def pair_seeds(cause: Cause, suite: CauseSuite) -> list[int]:
    """Return the first world seeds of a suite that fit a cause and whose simulated ends differ."""
    found: list[int] = []
    world = FIRST_SEED + suite.seed * SEEDS_PER_SUITE + OFFSET
    while len(found) < suite.num:
        (world,) = still_seeds(cause.family, 1, world)
        if _differ(cause, world, suite):
            found.append(world)
        world += 1
    return found


def _differ(cause: Cause, world: int, suite: CauseSuite) -> bool:
    if not cause.fits(set_stage(cause.family, world, num_frames=suite.num_frames).parameters):
        return False
    if cause.hides:
        return True
    first, second = (
        simulate(cause.family, world, num_frames=suite.num_frames, change=change)["facts"]["outcome"]
        for change in (cause.first, cause.second)
    )
    return bool(first != second)


def end_of(cause: Cause, clip: np.ndarray, real: Run, judge: Judge) -> str:
    """Return what is seen to happen in a clip: the judge's outcome, or whether the moving thing is glimpsed."""
    if not cause.hides:
        return judge.judge(clip).best("outcome", outcomes_of(judge.config, cause.family)).split(": ")[1]
    assert real.film.masks is not None
    numbers = followed(real)
    tracks = track(clip, real.film.masks[:GIVEN], numbers)
    return _glimpsed(real, *(tracks[number] for number in numbers))


def true_end(cause: Cause, real: Run) -> str:
    """Return what happens in the simulator, in the words of `end_of`."""
    if not cause.hides:
        return str(real.truth["facts"]["outcome"])
    assert real.film.masks is not None
    return _glimpsed(real, *(paths_of(real.film.masks, number) for number in followed(real)))


def _glimpsed(real: Run, *tracks: Track) -> str:
    """Whether a thing is seen while it passes the middle of the screen."""
    assert real.film.masks is not None
    names = [thing["name"] for thing in real.truth["objects"]]
    columns = np.flatnonzero((real.film.masks[0] == 1 + names.index("screen")).any(0))
    middle, width = columns.mean(), np.ptp(columns)
    for path in tracks:
        passing = np.abs(path.path[GIVEN:, 0] - middle) < MIDDLE * width
        if (passing & (path.area[GIVEN:] > GLIMPSE * path.area[GIVEN - 1])).any():
            return "glimpsed"
    return "hidden"


def ask_pair(cause: Cause, world: int, suite: CauseSuite, judge: Judge, go_on: Continue | None) -> Pair:
    """Run both worlds, judge them, and judge the model's continuations."""
    runs = [
        run(cause.family, world, suite.width, suite.height, suite.num_frames, change=change)
        for change in (cause.first, cause.second)
    ]
    clips = [real.film.frames for real in runs]
    painted = None
    if go_on is not None:
        seed = derive_seed("cause", suite.seed, cause.name, world) % 2**31
        rest = suite.num_frames - GIVEN
        ours = [
            np.concatenate(
                [
                    real.film.frames[:GIVEN],
                    go_on(real.film.frames[:GIVEN], scene_prompt(real.truth), rest, seed),
                ]
            )
            for real in runs
        ]
        painted = _two(end_of(cause, clip, real, judge) for clip, real in zip(ours, runs, strict=True))
        clips += ours
    return Pair(
        cause.name, world, _two(true_end(cause, real) for real in runs),
        _two(end_of(cause, real.film.frames, real, judge) for real in runs), painted, tuple(clips),
    )  # fmt: skip


def _two(ends: Any) -> tuple[str, str]:
    first, second = ends
    return first, second


def run_causes(
    suite: CauseSuite,
    judge: Judge,
    go_on: Continue | None,
    model: str,
    settings: dict[str, Any] | None = None,
    quiet: bool = False,
) -> SuiteResult:
    """Ask every pair of the suite; `go_on` None judges the simulator's own ends alone."""
    start = time.monotonic()
    pairs = []
    with progress(suite.num * len(CAUSES), "causes", quiet, "pairs") as bar:
        for cause in CAUSES:
            for world in pair_seeds(cause, suite):
                pairs.append(ask_pair(cause, world, suite, judge, go_on))
                bar.advance()
    return SuiteResult(
        suite="causes",
        model=model,
        lines=tuple(lines(pairs)),
        settings={
            "pairs": suite.num,
            "seed": suite.seed,
            "num_frames": suite.num_frames,
            "given": GIVEN,
            **(settings or {}),
        },
        notes=(
            "two worlds that differ in one cause, continued from their first frames; right: both ends are the simulator's",
            "shares: Wilson 95 % intervals",
        ),
        sheets=sheets(pairs),
        cases=[describe(pair) for pair in pairs],
        seconds=time.monotonic() - start,
    )


def lines(pairs: Sequence[Pair]) -> list[Line]:
    """Return the rows: all pairs, then by cause."""
    total = _row("cause pairs answered right", pairs)
    met = None if total.model.value is None else total.model.value >= WANTED
    rows = [replace(total, wanted=f"{WANTED:.0%}", met=met)]
    for name in dict.fromkeys(pair.cause for pair in pairs):
        rows.append(_row(name, [pair for pair in pairs if pair.cause == name]))
    return rows


def _row(what: str, pairs: Sequence[Pair]) -> Line:
    painted = [pair.right for pair in pairs if pair.right is not None]
    return Line(what, share(painted), share([pair.real_right for pair in pairs]), "%")


def sheets(pairs: Sequence[Pair], most: int = 3) -> dict[str, np.ndarray]:
    """Return one contact sheet per cause: both worlds, and under them the model's continuations."""
    pictures = {}
    for name in dict.fromkeys(pair.cause for pair in pairs):
        own = [pair for pair in pairs if pair.cause == name][:most]
        clips = [clip for pair in own for clip in pair.clips]
        labels = []
        for pair in own:
            labels += [f"simulator: {end}" for end in pair.truth]
            labels += [] if pair.painted is None else [f"model, seen as: {end}" for end in pair.painted]
        pictures[name.replace(" ", "-")] = contact_sheet(clips, 8, labels)
    return pictures


def describe(pair: Pair) -> dict[str, Any]:
    """Return a pair as plain values."""
    return {
        "cause": pair.cause, "world_seed": pair.world_seed, "simulator": list(pair.truth),
        "real_renders": list(pair.real), "model": None if pair.painted is None else list(pair.painted),
        "right": pair.right,
    }  # fmt: skip
