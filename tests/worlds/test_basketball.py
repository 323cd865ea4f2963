"""The basketball family: its outcomes are what the ball's path says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.basketball import BALL_RADIUS, RIM_HEIGHT, RIM_RADIUS, RIM_X
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("basketball", seed, num_frames=17) for seed in range(20)]


def _path(truth: dict) -> np.ndarray:
    return np.array(truth["objects"][0]["position"])


def test_outcomes_vary(truths: list[dict]) -> None:
    assert len({truth["facts"]["outcome"] for truth in truths}) >= 4


def test_a_scored_ball_is_below_the_rim_and_inside_the_net(truths: list[dict]) -> None:
    for truth in truths:
        path, side = _path(truth), truth["parameters"]["side"]
        aside = np.hypot(path[:, 0] - side * RIM_X, path[:, 1])
        in_net = (path[:, 2] < RIM_HEIGHT) & (path[:, 2] > RIM_HEIGHT - 0.35) & (aside < RIM_RADIUS)
        came_from_above = path[: int(np.argmax(in_net)) + 1, 2].max() > RIM_HEIGHT
        assert truth["facts"]["details"]["scored"] == bool(in_net.any() and came_from_above), truth["seed"]


def test_a_swish_flies_the_parabola_until_it_scores(truths: list[dict]) -> None:
    swishes = [truth for truth in truths if truth["facts"]["outcome"] == "swish"]
    assert swishes
    for truth in swishes:
        score = next(event["frame"] for event in truth["facts"]["events"] if event["key"] == "score")
        free = _path(truth)[: score - 1]
        time = np.arange(len(free)) / truth["fps"]
        start, velocity = np.array(truth["parameters"]["start"]), np.array(truth["parameters"]["velocity"])
        arc = start + velocity * time[:, None] - np.array([0, 0, 9.81 / 2]) * time[:, None] ** 2
        assert np.abs(free - arc).max() < 0.02, truth["seed"]


def test_a_bank_shot_comes_back_from_the_board(truths: list[dict]) -> None:
    for truth in truths:
        if truth["facts"]["outcome"] == "bank":
            forward = np.diff(_path(truth)[:, 0]) * truth["parameters"]["side"]
            assert forward.max() > 0 > forward.min(), truth["seed"]


def test_nothing_sinks_into_the_floor(truths: list[dict]) -> None:
    for truth in truths:
        path = _path(truth)
        assert np.isfinite(path).all()
        assert path[:, 2].min() > 0.8 * BALL_RADIUS


def test_a_ball_above_the_rim_at_the_end_is_not_said_to_have_missed(truths: list[dict]) -> None:
    seen = [truth for truth in truths if truth["facts"]["details"]["undecided"]]
    assert seen
    for truth in seen:
        assert _path(truth)[-1, 2] >= RIM_HEIGHT and not truth["facts"]["details"]["scored"]
        captions = caption_truth(truth, 20)
        english = " ".join(text for texts in captions["en"].values() for text in texts)
        assert not re.search(
            "miss|bounces (out|off|away)|does not go|no basket|rims out", english, re.IGNORECASE
        )
        chinese = " ".join(text for texts in captions["zh"].values() for text in texts)
        assert not re.search("没有进|没进|打铁|投偏|弹开|弹了出来", chinese.replace("进没进", ""))


def test_chinese_counts_the_touches_of_the_rim() -> None:
    truth = simulate("basketball", 7300020, num_frames=33)
    assert truth["facts"]["outcome"] == "rim_in" and truth["facts"]["details"]["rim_hits"] == 2
    said = _said(truth)
    assert "弹了两下" in said and not re.search("弹了一下|擦着篮圈", said)


def test_a_ball_that_comes_down_in_the_last_frame_has_not_bounced() -> None:
    truth = simulate("basketball", 7300015, num_frames=17)
    assert [event["frame"] for event in truth["facts"]["events"] if event["key"] == "land"] == [16]
    assert not re.search("bounces on the floor|地上弹起", _said(truth))


def test_a_ball_that_comes_down_outside_the_picture_is_not_said_to_land() -> None:
    truth = simulate("basketball", 43, num_frames=33)
    assert any(event["key"] == "land" for event in truth["facts"]["events"])
    assert not re.search(
        "lands on the ground|hits the floor|floor below|落到地上|砸在地面|下面的地", _said(truth)
    )


def test_verbs_are_joined_and_nobody_is_named_who_is_not_there(truths: list[dict]) -> None:
    for truth in truths:
        said = _said(truth)
        assert not re.search("somebody|有人|, misses rim and board|the basket and misses the basket", said)


def _said(truth: dict) -> str:
    captions = caption_truth(truth, 20).values()
    return "\n".join(text for lengths in captions for texts in lengths.values() for text in texts)
