import pytest

from worldloom.core.error import UsageError
from worldloom.worlds.composition import UNSEEN, is_unseen
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS
from worldloom.worlds.plan import ANOTHER, DatasetPlan, main_paint
from worldloom.worlds.stage import FPS, simulate


def test_every_family_leaves_out_one_colour_and_no_colour_is_left_out_everywhere() -> None:
    assert set(UNSEEN) == set(FAMILIES) and set(UNSEEN.values()) <= set(COLOURS)
    assert max(list(UNSEEN.values()).count(colour) for colour in COLOURS) <= 3


@pytest.mark.parametrize("family", ["basketball", "bounce", "drive"])
def test_the_paint_is_that_of_the_take(family: str) -> None:
    truth = simulate(family, 5, num_frames=9)
    assert main_paint(family, 5, 8 / FPS).colour == truth["objects"][0]["colour"]


def test_a_plan_leaves_compositions_out_and_says_so() -> None:
    families = ("bounce", "ramp")
    plan = DatasetPlan(60, families=families)
    whole = DatasetPlan(60, families=families, held_out=False)
    shown = {False: 0, True: 0}
    for index in range(60):
        for kind, setting in ((plan, True), (whole, False)):
            sample = kind.sample(index)
            seconds = (sample.num_frames - 1) / FPS if sample.num_frames > 1 else 1.0
            shown[setting] += is_unseen(sample.family, main_paint(sample.family, sample.seed, seconds).colour)
        if plan.sample(index).seed != whole.sample(index).seed:
            assert plan.sample(index).seed % ANOTHER == whole.sample(index).seed
    assert shown[True] == 0 < shown[False]
    assert (
        plan.settings()["held_out"] == ["bounce purple", "ramp cyan"] and whole.settings()["held_out"] == []
    )


def test_seeds_below_those_of_replaced_takes() -> None:
    with pytest.raises(UsageError, match="seeds of a dataset"):
        DatasetPlan(10, seed=ANOTHER - 5)
