"""The pillow gives way under a weight and the weight ends where the facts say."""

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.pillow import HALF, THICK, Pillow
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("pillow", seed, num_frames=17) for seed in range(14)]


def test_every_outcome_happens_and_poses_agree(truths: list[dict]) -> None:
    for truth in truths:
        end = np.asarray(truth["objects"][0]["position"])[-1]
        size, outcome = truth["parameters"]["size"], truth["facts"]["outcome"]
        assert np.isfinite(end).all()
        if outcome == "rolls_off":
            assert abs(end[0]) > 0.8 * HALF[0]
        elif outcome == "lifted_off":
            assert end[2] > THICK + 0.8 * size and abs(end[0]) < HALF[0]
        else:
            assert end[2] < THICK + size and abs(end[0]) < 0.5 * HALF[0]
    assert {truth["facts"]["outcome"] for truth in truths} == set(Pillow.OUTCOMES)


def test_the_heavier_the_deeper(truths: list[dict]) -> None:
    def dent(outcome: str) -> list[int]:
        return [t["facts"]["details"]["dent_cm"] for t in truths if t["facts"]["outcome"] == outcome]

    assert min(dent("stays")) > 4
    assert np.mean(dent("stays")) > np.mean(dent("rolls_off"))


def test_nothing_falls_through_and_nothing_is_launched(truths: list[dict]) -> None:
    for truth in truths:
        path = np.asarray(truth["objects"][0]["position"])
        size = truth["parameters"]["size"]
        assert path[:, 2].min() > 0.7 * size
        assert path[:, 2].max() < max(path[0, 2], THICK + 0.42 + size) + 0.02


def test_a_sentence_is_not_two_with_a_comma_between(truths: list[dict]) -> None:
    said = str([caption_truth(truth, 30)["en"] for truth in truths])
    assert ", and then a rope lifts it" in said and ", then a rope" not in said


def test_same_seed_same_truth() -> None:
    assert simulate("pillow", 3, num_frames=9) == simulate("pillow", 3, num_frames=9)
