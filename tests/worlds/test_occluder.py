"""What the occluder family says of a take is what its poses show."""

import re

import numpy as np
import pytest

from worldloom.worlds.caption.chinese import NOUNS as CHINESE
from worldloom.worlds.caption.english import NOUNS as ENGLISH
from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.occluder import Occluder
from worldloom.worlds.stage import simulate

SEEDS = range(20)


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("occluder", seed, num_frames=17) for seed in SEEDS]


def test_every_outcome_happens_and_poses_agree(truths: list[dict]) -> None:
    seen = set()
    for truth in truths:
        parameters, outcome = truth["parameters"], truth["facts"]["outcome"]
        way = parameters["side"] * np.asarray(truth["objects"][0]["position"])[:, 0]
        assert np.isfinite(way).all()
        edge, size = parameters["half_width"], parameters["size"]
        assert (np.abs(way) + size < edge).any(), "it was never behind the screen"
        where = {
            "comes_out": way[-1] + size > edge,
            "stops_behind": abs(way[-1]) + size <= edge,
            "comes_back": way[-1] - size < -edge,
        }
        assert [name for name, holds in where.items() if holds] == [outcome]
        seen.add(outcome)
    assert seen == set(Occluder.OUTCOMES)


def test_nothing_leaves_the_floor_or_the_picture(truths: list[dict]) -> None:
    for truth in truths:
        path = np.asarray(truth["objects"][0]["position"])
        assert np.ptp(path[:, 2]) < 0.02 and np.abs(path[:, 0]).max() < 1.25


def test_it_reappears_in_time_at_both_lengths() -> None:
    for num_frames in (17, 33):
        for seed in range(8):
            events = simulate("occluder", seed, num_frames=num_frames)["facts"]["events"]
            frames = [event["frame"] for event in events if event["key"] in ("emerge", "return")]
            assert all(frame < 0.75 * num_frames for frame in frames)


def test_a_caption_has_one_noun_for_one_thing_and_a_window_hides_nothing(truths: list[dict]) -> None:
    for truth in truths:
        captions = caption_truth(truth, 30)
        for text in (text for texts in captions["en"].values() for text in texts):
            assert sum(bool(re.search(rf"\b{noun}\b", text)) for noun in ENGLISH["screen"]) == 1, text
            if truth["parameters"]["hole"]:
                assert not re.search("disappear|vanish|out of sight|hides", text), text
        for text in (text for texts in captions["zh"].values() for text in texts):
            assert sum(noun in text for noun in CHINESE["screen"][1]) == 1, text
            if truth["parameters"]["hole"]:
                assert not re.search("消失|看不见|隐没", text), text


def test_what_the_boards_hide_on_its_way_to_the_window_does_not_stay_in_sight(truths: list[dict]) -> None:
    hidden = 0
    for truth in truths:
        parameters, way = truth["parameters"], np.abs(np.asarray(truth["objects"][0]["position"])[:, 0])
        size = parameters["size"]
        gone = (way + size < parameters["half_width"]) & (way > 1.8 * size)
        if truth["facts"]["outcome"] == "stops_behind" and parameters["hole"] and gone.any():
            hidden += 1
            assert not re.search("stays in sight|一直能看到", str(caption_truth(truth, 30))), truth["seed"]
    assert hidden


def test_a_sentence_is_not_two_with_a_comma_between(truths: list[dict]) -> None:
    said = str([caption_truth(truth, 30)["en"] for truth in truths])
    assert "othing comes out and " in said and "othing comes out, " not in said


def test_same_seed_same_truth() -> None:
    assert simulate("occluder", 3, num_frames=17) == simulate("occluder", 3, num_frames=17)
