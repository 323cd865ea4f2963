"""The bounce family: what is called a bounce, rolling and rest."""

from __future__ import annotations

import numpy as np
import pytest

from worldloom.worlds.stage import simulate


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
