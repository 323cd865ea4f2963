"""The pendulum family: the cradle passes on as many balls as came, energy is kept, the block tells the truth."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("pendulum", seed, num_frames=17) for seed in range(24)]


def _path(truth: dict, index: int = 0) -> np.ndarray:
    return np.array(truth["objects"][index]["position"])


def test_every_outcome_comes_up(truths: list[dict]) -> None:
    outcomes = {truth["facts"]["outcome"] for truth in truths}
    assert outcomes == {"swings", "knocks_over", "stopped", "one_out", "two_out"}


def test_as_many_balls_fly_out_as_came_in(truths: list[dict]) -> None:
    for truth in truths:
        details = truth["facts"]["details"]
        if details["kind"] == "cradle":
            assert details["flew"] == details["lifted"], truth["seed"]


def test_the_middle_of_a_cradle_stays_almost_still(truths: list[dict]) -> None:
    for truth in truths:
        if truth["facts"]["details"]["kind"] == "cradle":
            middle = _path(truth, 2)[:, 0]
            lifted = np.abs(_path(truth)[:, 0] - _path(truth)[0, 0]).max()
            assert np.abs(middle - middle[0]).max() < 0.15 * lifted, truth["seed"]


def test_balls_keep_their_distance_from_the_pivot_and_never_rise_above_the_start(truths: list[dict]) -> None:
    for truth in truths:
        if truth["parameters"]["kind"] == "cradle":
            continue
        p, path = truth["parameters"], _path(truth)
        pivot = path[:, 2].min() + p["length"]
        reach = np.hypot(path[:, 0], path[:, 2] - pivot)
        assert np.abs(reach - reach[0]).max() < 0.03, truth["seed"]
        assert path[:, 2].max() < path[0, 2] + 0.005, truth["seed"]


def test_a_toppled_block_lies_lower(truths: list[dict]) -> None:
    for truth in truths:
        names = [entry["name"] for entry in truth["objects"]]
        if "block" in names:
            z = _path(truth, names.index("block"))[:, 2]
            assert (z[-1] < 0.8 * z[0]) == (truth["facts"]["outcome"] == "knocks_over"), truth["seed"]


def test_captions_say_no_more_swings_than_there_are(truths: list[dict]) -> None:
    for truth in truths:
        details, captions = truth["facts"]["details"], caption_truth(truth, 30)
        said = str([list(lengths.values()) for lengths in captions.values()])
        if details["kind"] == "cradle" and not details["returns"]:
            assert not re.search("keeps clicking|comes back|继续来回|传了回来", said), truth["seed"]
        elif details.get("passes", 2) < 2:
            assert not re.search("back and forth|to and fro|来回|荡来荡去", said), truth["seed"]


def _said(truth: dict) -> dict[str, str]:
    """Thirty captions of each length in each language, one to a line."""
    captions = caption_truth(truth, 30)
    return {
        language: "\n".join(text for texts in lengths.values() for text in texts)
        for language, lengths in captions.items()
    }


def test_a_floor_is_where_the_frame_stands_not_where_a_ball_is_lifted_or_a_block_does_not_fall(
    truths: list[dict],
) -> None:
    for truth in truths:
        assert not re.search(r"(raised|drawn to the (left|right)|does not fall) on ", _said(truth)["en"])


def test_a_cradle_is_not_of_the_colour_of_its_balls_unless_its_frame_is_named(truths: list[dict]) -> None:
    for truth in truths:
        said, colour = _said(truth), truth["objects"][0]["colour"]
        assert not re.search(rf"{colour} Newton's cradle", said["en"]), truth["seed"]
        assert not re.search(r"(?<!架子上的)[红橙黄绿青蓝紫粉棕白黑灰]色的?牛顿摆", said["zh"]), truth["seed"]


def test_balls_are_let_go_and_a_hanging_ball_has_one_verb(truths: list[dict]) -> None:
    for truth in truths:
        said = _said(truth)
        assert not re.search(r"balls? let go and", said["en"]), truth["seed"]
        assert not re.search(r"吊在(绳子|细线|线)上[撞摆荡自来在]", said["zh"]), truth["seed"]


def test_a_cradle_clicks_again_in_a_long_take_only() -> None:
    returns = {
        (num_frames, details["returns"])
        for num_frames in (9, 49)
        for seed in range(6)
        if (details := simulate("pendulum", seed, num_frames=num_frames)["facts"]["details"])["kind"]
        == "cradle"
    }
    assert returns == {(9, False), (49, True)}
