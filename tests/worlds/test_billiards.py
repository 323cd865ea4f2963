"""The billiards family: who was hit, that all stay on the table, that no hit makes energy."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.billiards import HALF, RADIUS, TOP
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("billiards", seed, num_frames=17) for seed in range(24)]


def _balls(truth: dict) -> np.ndarray:
    """Positions of cue ball and balls, [balls, F, 3]."""
    return np.array([entry["position"] for entry in truth["objects"] if "ball" in entry["name"]])


def test_every_outcome_comes_up(truths: list[dict]) -> None:
    assert {truth["facts"]["outcome"] for truth in truths} == {"hits_one", "hits_several", "misses"}


def test_outcome_is_the_number_of_balls_that_left_their_places(truths: list[dict]) -> None:
    for truth in truths:
        balls = _balls(truth)[1:]
        moved = int((np.linalg.norm(balls - balls[:, :1], axis=2).max(axis=1) > 0.06).sum())
        assert truth["facts"]["details"]["moved"] == moved, truth["seed"]
        expected = {"misses": moved == 0, "hits_one": moved <= 1, "hits_several": moved > 1}
        assert expected[truth["facts"]["outcome"]], truth["seed"]


def test_balls_stay_on_the_cloth(truths: list[dict]) -> None:
    for truth in truths:
        balls = _balls(truth)
        assert np.abs(balls[..., 0]).max() < HALF[0], truth["seed"]
        assert np.abs(balls[..., 1]).max() < HALF[1], truth["seed"]
        assert balls[..., 2].min() > TOP + 0.8 * RADIUS, truth["seed"]


def test_balls_do_not_enter_each_other(truths: list[dict]) -> None:
    for truth in truths:
        balls = _balls(truth)
        for one in range(len(balls)):
            for two in range(one):
                gap = np.linalg.norm(balls[one] - balls[two], axis=1).min()
                assert gap > 1.7 * RADIUS, (truth["seed"], one, two)


def test_energy_never_grows(truths: list[dict]) -> None:
    for truth in truths:
        speeds = np.array([entry["velocity"] for entry in truth["objects"] if "ball" in entry["name"]])
        energy = (speeds**2).sum(axis=(0, 2))
        assert energy.max() < 1.05 * energy[0], truth["seed"]


def test_a_caption_that_names_a_floor_names_the_table_first(truths: list[dict]) -> None:
    for truth in truths:
        captions = caption_truth(truth, 8)
        for length in ("short", "medium"):
            assert all("table" in text for text in captions["en"][length])
            assert all("台" in text for text in captions["zh"][length])


def test_no_sky_or_backdrop_is_named_that_a_camera_from_above_does_not_see(truths: list[dict]) -> None:
    for truth in truths:
        assert not re.search("sky|backdrop|天空|夜空|背景", _said(truth)), truth["seed"]
    assert re.search("sky|backdrop", "".join(_said(simulate("bounce", s, num_frames=17)) for s in range(4)))


def test_a_cushion_reached_in_the_last_frame_sends_nothing_back() -> None:
    truth = simulate("billiards", 104, num_frames=17)
    assert [event["frame"] for event in truth["facts"]["events"] if event["key"] == "cushion"] == [16]
    assert truth["facts"]["details"]["cushions"] == 0
    assert not re.search("off the cushion|sends it back|库边", _said(truth))


def test_balls_missed_are_joined_by_or_and_a_single_one_is_no_plural() -> None:
    two = _said(simulate("billiards", 7301020, num_frames=33))
    assert re.search("without touching an? .* or an? ", two)
    assert not re.search("without touching an? [^.\n]*(ball|sphere) and ", two)
    one = _said(simulate("billiards", 7301000, num_frames=17))
    assert "另一个球没有动" in one and "其他球都" not in one


def test_balls_counted_as_moved_leave_out_the_cue_ball(truths: list[dict]) -> None:
    # The cue ball moves too: "three balls have moved" would be one too few.
    for truth in truths:
        assert not re.search("balls have moved|个球移动了", _said(truth)), truth["seed"]


def test_balls_pass_nothing_on_that_have_not_touched_each_other() -> None:
    truth = simulate("billiards", 95, num_frames=17)
    assert truth["facts"]["details"]["moved"] > 1
    assert not re.search("pass the push on|接连相撞", _said(truth))


def _said(truth: dict) -> str:
    captions = caption_truth(truth, 20).values()
    return "\n".join(text for lengths in captions for texts in lengths.values() for text in texts)
