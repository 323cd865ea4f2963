"""Grains counted in the cup by an independent measure agree with the facts."""

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.pour import DEEP, RADIUS, Pour
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("pour", seed, num_frames=17) for seed in range(12)]


def test_every_outcome_happens_and_the_count_is_right(truths: list[dict]) -> None:
    reach = np.hypot(RADIUS, DEEP / 2) + 0.1
    for truth in truths:
        facts, cup = truth["facts"], np.asarray(truth["objects"][0]["position"])[-1]
        grains = [np.asarray(thing["position"]) for thing in truth["objects"] if thing["noun"] == "grain"]
        assert len(grains) == facts["details"]["grains"] and np.isfinite(grains).all()
        far = sum(np.linalg.norm(path[-1] - cup) > reach for path in grains)
        assert far <= facts["details"]["spilled"]
        assert (facts["outcome"] == "stays_full") == (facts["details"]["spilled"] == 0)
        assert (facts["outcome"] == "all_spill") == (facts["details"]["spilled"] == len(grains))
    assert {truth["facts"]["outcome"] for truth in truths} == set(Pour.OUTCOMES)


def test_grains_leave_an_upturned_cup_only(truths: list[dict]) -> None:
    for truth in truths:
        kind, spilled = truth["facts"]["details"]["kind"], truth["facts"]["details"]["spilled"]
        if kind == "upright":
            assert spilled == 0
        elif kind == "upturned":
            assert spilled > 0.8 * truth["facts"]["details"]["grains"]


def test_no_grain_sinks_into_the_floor_or_flies_off(truths: list[dict]) -> None:
    for truth in truths:
        for thing in truth["objects"][1:]:
            path = np.asarray(thing["position"])
            assert path[:, 2].min() > 0.03 and path[:, 2].max() < 1.2


def test_same_seed_same_truth() -> None:
    assert simulate("pour", 3, num_frames=9) == simulate("pour", 3, num_frames=9)


def test_the_cup_is_said_to_come_upright_after_the_spill(truths: list[dict]) -> None:
    for truth in truths:
        for text in caption_truth(truth, 8)["en"]["dense"]:
            back = text.find("comes upright again")
            assert (back >= 0) == truth["facts"]["details"]["righted"], truth["seed"]
            assert back < 0 or back > text.lower().find("the cup ti") >= 0, truth["seed"]


def test_two_clauses_of_a_sentence_are_linked(truths: list[dict]) -> None:
    for truth in truths:
        for texts in caption_truth(truth, 20)["en"].values():
            assert not [text for text in texts if ", the rest" in text], truth["seed"]
