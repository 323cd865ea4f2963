"""The *physics* suite: does a clip go on as the simulator says it must?

The model is shown the first five frames of a held-out take and a description of what is there, not of what happens,
and continues. Its continuation is compared with the simulator's, and so is a second run of the simulator that starts
from what five frames cannot tell apart (`rerun.py`): that run is the ceiling in every row. The score is Physics-IQ's
(`motion_match.py`). Objects are followed by their colours (`tracker.py`); how it ends is read by the judge among the
outcomes of the family.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import derive_seed, numpy_generator
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.interval import RESAMPLES
from worldloom.evaluate.judge import Judge
from worldloom.evaluate.judge_training import outcomes_of
from worldloom.evaluate.motion_match import Match, match, score
from worldloom.evaluate.quantities import fall_accelerations, first_rebound, momentum
from worldloom.evaluate.rerun import FIRST_SEED, GIVEN, SEEDS_PER_SUITE, UNCERTAIN, Run, run, still_seeds
from worldloom.evaluate.suite import Figure, Line, SuiteResult, check_seed, mean, median, share
from worldloom.evaluate.tracker import SMALLEST, Track, paths_of, track
from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families import FAMILIES, check_families
from worldloom.worlds.stage import FPS

WANTED = 0.65
GRAVITY = 9.81
CLOSE = 0.25
"""Relative error up to which an acceleration or a height counts as right."""
SHEET_COLUMNS = 8

Continue = Callable[[np.ndarray, str, int, int], np.ndarray]
"""Given frames uint8 [G, H, W, 3], a prompt, a number of frames and a seed to that many new frames."""


@dataclass(frozen=True)
class PhysicsSuite:
    """Which takes are continued, and how large and long they are."""

    num: int = 39
    seed: int = 0
    families: tuple[str, ...] = tuple(FAMILIES)
    width: int = 128
    height: int = 128
    num_frames: int = 33

    def __post_init__(self) -> None:
        if self.num < 1:
            raise UsageError(f"the suite continues at least 1 take, not {self.num}")
        check_seed(self.seed)
        if self.num_frames < GIVEN + 8:
            raise UsageError(f"takes of the suite have at least {GIVEN + 8} frames, not {self.num_frames}")
        check_families(self.families)


@dataclass(frozen=True)
class Seen:
    """What one continuation comes to. Lists hold one value per object or flight; None: nothing of the kind to see."""

    match: Match
    outcome: bool
    path_errors: list[float]
    accelerations: list[float]
    rebound_errors: list[float]
    momentum_error: float | None
    reappears: bool | None


@dataclass(frozen=True)
class Continued:
    """One take with its second run and the model's continuation."""

    family: str
    world_seed: int
    seed: int
    prompt: str
    outcome: str
    variance: Match
    again: Seen
    painted: Seen | None
    clips: dict[str, np.ndarray] = field(repr=False)
    tracker_errors: list[float] = field(repr=False, default_factory=list)


def scene_prompt(truth: dict[str, Any]) -> str:
    """Return words for what is there, as a picture's caption has them: nothing of motion or outcome."""
    return caption_truth({**truth, "num_frames": 1}, 1)["en"]["medium"][0]


def followed(real: Run) -> list[int]:
    """Return the mask values of things that can be followed: they move and no other moving thing has their colour."""
    moving = {i: thing["colour"] for i, thing in enumerate(real.truth["objects"], 1) if thing["moving"]}
    colours = list(moving.values())
    assert real.film.masks is not None
    last = real.film.masks[GIVEN - 1]
    return [i for i, c in moving.items() if colours.count(c) == 1 and (last == i).sum() >= SMALLEST]


def observe(clip: np.ndarray, real: Run, judge: Judge) -> Seen:
    """Compare a continuation (with the given frames before it) with the simulator's own."""
    masks, truth, family = real.film.masks, real.truth, real.truth["family"]
    assert masks is not None
    numbers = followed(real)
    tracks = track(clip, masks[:GIVEN], numbers)
    theirs = {number: paths_of(masks, number) for number in numbers}
    right = f"{family}: {truth['facts']['outcome']}"
    balls = [i for i in numbers if "ball" in truth["objects"][i - 1]["noun"]]
    rebounds = [_rebound_error(tracks[i], theirs[i]) for i in numbers if family == "bounce"]
    return Seen(
        match=match(clip[GIVEN - 1 :], real.film.frames[GIVEN - 1 :]),
        outcome=judge.judge(clip).best("outcome", outcomes_of(judge.config, family)) == right,
        path_errors=[e for i in numbers if (e := path_error(tracks[i], theirs[i])) is not None],
        accelerations=[
            a
            for i in numbers
            if family == "bounce"
            for a in fall_accelerations(tracks[i], GIVEN, FPS, real.pixels_per_metre)
        ],
        rebound_errors=[error for error in rebounds if error is not None],
        momentum_error=_momentum_error(tracks, theirs, balls) if family == "billiards" else None,
        reappears=_reappears(tracks, theirs, numbers) if family == "occluder" else None,
    )


def path_error(ours: Track, theirs: Track) -> float | None:
    """Return the median distance (px) from the true path over the frames in which the thing is really seen."""
    frames = np.flatnonzero(theirs.area > 0.5 * theirs.area[GIVEN - 1])
    frames = frames[frames >= GIVEN]
    if not len(frames):
        return None
    return float(np.median(np.hypot(*(ours.path[frames] - theirs.path[frames]).T)))


def _rebound_error(ours: Track, theirs: Track) -> float | None:
    real = first_rebound(theirs, GIVEN)
    if real is None or real < 6:
        return None
    return abs((first_rebound(ours, GIVEN) or 0.0) - real) / real


def _momentum_error(
    tracks: dict[int, Track], theirs: dict[int, Track], numbers: Sequence[int]
) -> float | None:
    if not numbers:
        return None
    count = len(next(iter(theirs.values())).path)
    before = momentum([theirs[i] for i in numbers], 0, GIVEN)
    after = [momentum([side[i] for i in numbers], count - 8, count) for side in (tracks, theirs)]
    if not np.isfinite(np.concatenate([before, *after])).all() or np.hypot(*before) < 0.2:
        return None
    return float(np.hypot(*(after[0] - after[1])) / np.hypot(*before))


def _reappears(tracks: dict[int, Track], theirs: dict[int, Track], numbers: Sequence[int]) -> bool | None:
    """Whether a thing that was hidden is seen at the end if and only if the simulator's is."""
    hidden = [i for i in numbers if (theirs[i].area[GIVEN:] < 0.2 * theirs[i].area[GIVEN - 1]).any()]
    if not hidden:
        return None
    return all(bool(tracks[i].seen[-2:].all()) == bool(theirs[i].seen[-2:].all()) for i in hidden)


def continue_take(
    suite: PhysicsSuite, family: str, world_seed: int, judge: Judge, go_on: Continue | None
) -> Continued:
    """Run a take three times and let the model continue it."""
    real, first, second = (
        run(family, world_seed, suite.width, suite.height, suite.num_frames, again) for again in range(3)
    )
    given, rest = real.film.frames[:GIVEN], suite.num_frames - GIVEN
    prompt, seed = scene_prompt(real.truth), derive_seed("continued", suite.seed, family, world_seed) % 2**31
    clips = {"simulator": real.film.frames, "second run": second.film.frames}
    painted = None
    if go_on is not None:
        clips["model"] = np.concatenate([given, go_on(given, prompt, rest, seed)])
        painted = observe(clips["model"], real, judge)
    return Continued(
        family, world_seed, seed, prompt, real.truth["facts"]["outcome"],
        variance=match(first.film.frames[GIVEN - 1 :], real.film.frames[GIVEN - 1 :]),
        again=observe(second.film.frames, real, judge), painted=painted, clips=clips,
        tracker_errors=observe(real.film.frames, real, judge).path_errors,
    )  # fmt: skip


def run_physics(
    suite: PhysicsSuite,
    judge: Judge,
    go_on: Continue | None,
    model: str,
    settings: dict[str, Any] | None = None,
    quiet: bool = False,
) -> SuiteResult:
    """Continue every take of the suite; `go_on` None scores the simulator's second runs alone."""
    start = time.monotonic()
    each = -(-suite.num // len(suite.families))
    seeds = {
        family: still_seeds(family, each, FIRST_SEED + suite.seed * SEEDS_PER_SUITE)
        for family in suite.families
    }
    jobs = [(family, seeds[family][n]) for n in range(each) for family in suite.families][: suite.num]
    takes = []
    with progress(len(jobs), "physics", quiet, "takes") as bar:
        for family, seed in jobs:
            takes.append(continue_take(suite, family, seed, judge, go_on))
            bar.advance()
    errors = [error for take in takes for error in take.tracker_errors]
    return SuiteResult(
        suite="physics",
        model=model,
        lines=tuple(lines(takes)),
        settings={**asdict(suite), "families": len(suite.families), "given": GIVEN, **(settings or {})},
        notes=(
            "score: Physics-IQ's over takes with a still camera, 100 % = a second run of the simulator that starts",
            f"from another velocity within what {GIVEN} frames tell ({UNCERTAIN} px per frame); real renders: such a run",
            f"tracker on the simulator's own frames: median error {np.median(errors):.2f} px of {len(errors)} things"
            if errors
            else "no thing could be tracked",
            "outcome: the judge's best of the family's outcomes, against the simulator's",
        ),
        sheets=sheets(takes),
        cases=[describe(take) for take in takes],
        seconds=time.monotonic() - start,
    )


def lines(takes: Sequence[Continued]) -> list[Line]:
    """Return the rows of the table: the score, what it is made of, physical quantities, outcomes, families."""
    total = _score(takes, "painted")
    table = [
        Line("physics score", total, _score(takes, "again"), "%", f"{WANTED:.0%}",
             None if total.value is None else total.value >= WANTED)
    ]  # fmt: skip
    for what, name in (
        ("IoU of motion in space", "spatial"),
        ("IoU of motion in space and time", "spatiotemporal"),
        ("IoU of motion weighted by duration", "weighted"),
    ):
        table.append(_row(takes, what, "%", partial(_matched, name), mean))
    table += [
        _row(takes, "squared error of pixels in [0, 1]", "", lambda seen: [seen.match.mse], mean),
        _row(takes, "distance from the true path", "px", lambda seen: seen.path_errors, median),
        _row(takes, "fall acceleration, m/s2 (true: 9.81)", "", lambda seen: seen.accelerations, median),
        _row(takes, f"falls within {CLOSE:.0%} of 9.81 m/s2", "%", lambda seen: [abs(a / GRAVITY - 1) < CLOSE for a in seen.accelerations], share),
        _row(takes, f"bounce heights within {CLOSE:.0%}", "%", lambda seen: [e < CLOSE for e in seen.rebound_errors], share),
        _row(takes, "error of momentum after collisions, of that before", "%", lambda seen: [] if seen.momentum_error is None else [seen.momentum_error], median),
        _row(takes, "hidden things seen at the end or not, as they must", "%", lambda seen: [] if seen.reappears is None else [seen.reappears], share),
        _row(takes, "outcome", "%", lambda seen: [seen.outcome], share),
    ]  # fmt: skip
    for family in dict.fromkeys(take.family for take in takes):
        own = [take for take in takes if take.family == family]
        table.append(Line(f"{family}: score", _score(own, "painted"), _score(own, "again"), "%"))
        table.append(_row(own, f"{family}: outcome", "%", lambda seen: [seen.outcome], share))
    return table


def _matched(name: str, seen: Seen) -> list[Any]:
    return [getattr(seen.match, name)]


def _row(
    takes: Sequence[Continued],
    what: str,
    unit: Any,
    values: Callable[[Seen], list[Any]],
    figure: Callable[[list[Any]], Figure],
) -> Line:
    painted = [value for take in takes if take.painted is not None for value in values(take.painted)]
    return Line(what, figure(painted), figure([v for take in takes for v in values(take.again)]), unit)


def _score(takes: Sequence[Continued], who: str) -> Figure:
    """Score with its bootstrap interval over takes."""
    pairs = [(seen.match, take.variance) for take in takes if (seen := getattr(take, who)) is not None]
    if not pairs:
        return Figure()

    def of(chosen: Sequence[int]) -> float:
        return score([pairs[i][0] for i in chosen], [pairs[i][1] for i in chosen])

    picks = numpy_generator("score", len(pairs)).integers(0, len(pairs), (RESAMPLES // 10, len(pairs)))
    low, high = np.quantile([of(chosen) for chosen in picks.tolist()], [0.025, 0.975])
    return Figure(of(range(len(pairs))), (float(low), float(high)), len(pairs))


def sheets(takes: Sequence[Continued], most: int = 5) -> dict[str, np.ndarray]:
    """Return one contact sheet per family: simulator, second run and model below one another."""
    pictures = {}
    for family in dict.fromkeys(take.family for take in takes):
        own = [take for take in takes if take.family == family][:most]
        clips = [clip for take in own for clip in take.clips.values()]
        labels = [f"{take.world_seed % 10**6} {name}, {take.outcome}" for take in own for name in take.clips]
        pictures[family] = contact_sheet(clips, SHEET_COLUMNS, labels)
    return pictures


def describe(take: Continued) -> dict[str, Any]:
    """Return a take's case as plain values."""
    return {
        "family": take.family, "world_seed": take.world_seed, "seed": take.seed, "prompt": take.prompt,
        "outcome": take.outcome, "variance": asdict(take.variance), "second_run": asdict(take.again),
        "model": None if take.painted is None else asdict(take.painted),
    }  # fmt: skip
