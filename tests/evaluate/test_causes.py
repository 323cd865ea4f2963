import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.evaluate.causes import (
    CAUSES,
    Cause,
    CauseSuite,
    Pair,
    end_of,
    lines,
    pair_seeds,
    sheets,
    true_end,
)
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.rerun import GIVEN, run
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.stage import simulate

SUITE = CauseSuite(num=1, num_frames=17)
BY_NAME = {cause.name: cause for cause in CAUSES}


@pytest.mark.parametrize("name", ["drop height", "egg or tomato"])
def test_one_cause_changes_the_end(name: str) -> None:
    cause = BY_NAME[name]
    (world,) = pair_seeds(cause, SUITE)
    ends = [
        simulate(cause.family, world, num_frames=17, change=change) for change in (cause.first, cause.second)
    ]
    outcomes = [end["facts"]["outcome"] for end in ends]
    assert (
        outcomes
        == {
            "drop height": ["egg_survives", "egg_breaks"],
            "egg or tomato": ["egg_breaks", "tomato_survives"],
        }[name]
    )
    assert ends[0]["look"] == ends[1]["look"]


def test_a_hole_lets_the_passing_thing_be_glimpsed() -> None:
    cause = BY_NAME["hole in the screen"]
    (world,) = pair_seeds(cause, SUITE)
    judge = Judge(JudgeConfig(tuple(FAMILIES), channels=(8, 8, 16), hidden=16)).eval()
    runs = [run(cause.family, world, 128, 128, 33, change=change) for change in (cause.first, cause.second)]
    assert [true_end(cause, real) for real in runs] == ["hidden", "glimpsed"]
    assert [end_of(cause, real.film.frames, real, judge) for real in runs] == ["hidden", "glimpsed"]
    assert runs[0].film.frames.shape[0] > GIVEN


def pair(real: tuple[str, str], painted: tuple[str, str] | None, cause: str = "drop height") -> Pair:
    return Pair(
        cause, 1, ("egg_survives", "egg_breaks"), real, painted, (np.zeros((2, 8, 8, 3), np.uint8),) * 2
    )


def test_a_pair_is_right_only_when_both_ends_are() -> None:
    right, half = ("egg_survives", "egg_breaks"), ("egg_breaks", "egg_breaks")
    pairs = [
        pair(right, right),
        pair(right, half),
        pair(half, ("egg_breaks", "egg_survives")),
        pair(right, right, "mass"),
    ]
    total, height, mass = lines(pairs)
    assert total.model.value == 0.5 and total.real.value == 0.75 and total.met is False
    assert height.model.value == pytest.approx(1 / 3) and mass.model.value == 1.0
    assert lines([pair(right, None)])[0].met is None
    assert set(sheets([pair(right, None)])) == {"drop-height"}


def test_impossible_suites_are_refused() -> None:
    for wrong in ({"num": 0}, {"seed": 1000}):
        with pytest.raises(UsageError):
            CauseSuite(**wrong)
    assert all(isinstance(cause, Cause) and cause.family in FAMILIES for cause in CAUSES)
