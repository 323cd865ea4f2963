"""The bounce family: what is called a bounce, rolling and rest."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.stage import simulate

TURNED = 39  # a seed whose first ball is knocked back the way it came


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("bounce", seed, num_frames=frames) for frames in (17, 81) for seed in range(12)]


def test_a_touch_in_the_last_frame_is_no_bounce(truths: list[dict]) -> None:
    for truth in truths:
        bounces = [event for event in truth["facts"]["events"] if event["key"] == "bounce"]
        assert all(event["frame"] < truth["num_frames"] - 1 for event in bounces), truth["seed"]


def test_a_ball_still_bounces_only_if_it_leaves_the_floor_at_the_end(truths: list[dict]) -> None:
    for truth in truths:
        height = np.array(truth["objects"][0]["position"])[:, 2] - truth["parameters"]["balls"][0]["radius"]
        if truth["facts"]["outcome"] == "still_bouncing":
            assert height[-4:].max() >= 0.0199, truth["seed"]


def test_a_ball_at_rest_does_not_move(truths: list[dict]) -> None:
    for truth in truths:
        if truth["facts"]["outcome"] == "comes_to_rest":
            assert np.linalg.norm(truth["objects"][0]["velocity"][-1]) <= 0.031, truth["seed"]


def test_a_ball_too_slow_to_see_is_not_said_to_roll() -> None:
    truth = simulate("bounce", 7302010, num_frames=33)
    assert truth["facts"]["outcome"] == "rolls_away" and "ball" in truth["facts"]["details"]["slow"]
    assert not re.search("rolls|滚", _said(truth))


def test_bounces_outside_the_picture_are_not_counted() -> None:
    truth = simulate("bounce", 7302016, num_frames=33)
    assert sum(e["key"] == "bounce" and e["who"] == "third_ball" for e in truth["facts"]["events"]) == 5
    assert not re.search("five times|五[次下]", _said(truth))
    assert re.search("pink (ball|sphere) [a-z ]*bounces away", _said(truth))


def test_a_ball_that_has_left_the_picture_has_no_end_in_it() -> None:
    said = _said(simulate("bounce", 7302004, num_frames=33))
    assert not re.search("at the end|has not stopped|最后紫|还没有停", said, re.IGNORECASE)


def test_a_collision_between_bounces_is_not_told_as_the_last_event() -> None:
    truth = simulate("bounce", 7302022, num_frames=33)
    collisions = [line for line in re.split("[.。\n]", _said(truth)) if re.search("collide|bump|撞", line)]
    assert collisions and all(re.match("(?i) ?(along the way|at one point|期间|途中)", x) for x in collisions)


def test_the_direction_is_that_of_the_end(truths: list[dict]) -> None:
    for truth in [*truths, simulate("bounce", TURNED, num_frames=33)]:
        side = {"right": 1, "left": -1}.get(truth["facts"]["details"]["direction"] or "", 0)
        assert side * truth["objects"][0]["velocity"][-1][0] >= 0, truth["seed"]


def _said(truth: dict) -> str:
    captions = caption_truth(truth, 20).values()
    return "\n".join(text for lengths in captions for texts in lengths.values() for text in texts)
