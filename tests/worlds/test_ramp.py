"""The ramp family: rolling, sliding and sticking by the laws of the incline."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.ramp import GRAVITY, ROLLING
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("ramp", seed, num_frames=17) for seed in range(20)]


def test_every_outcome_comes_up(truths: list[dict]) -> None:
    assert {truth["facts"]["outcome"] for truth in truths} == {"rolls_down", "slides_down", "sticks"}


def test_a_box_sticks_exactly_where_friction_beats_the_slope(truths: list[dict]) -> None:
    for truth in truths:
        p = truth["parameters"]
        holds = p["kind"] == "box" and p["friction"] > math.tan(math.radians(p["angle"]))
        assert (truth["facts"]["outcome"] == "sticks") == holds, truth["seed"]


def test_what_rolls_accelerates_as_its_inertia_says(truths: list[dict]) -> None:
    tried = 0
    for truth in truths:
        p = truth["parameters"]
        if p["kind"] not in ROLLING:
            continue
        tried += 1
        speed = np.linalg.norm(truth["objects"][0]["velocity"], axis=1)
        frames = next(e["frame"] for e in truth["facts"]["events"] if e["key"] == "reach_floor") - 2
        gained = (speed[frames] - speed[0]) * truth["fps"] / frames
        law = ROLLING[p["kind"]] * GRAVITY * math.sin(math.radians(p["angle"]))
        assert gained == pytest.approx(law, rel=0.08), truth["seed"]
    assert tried >= 5


def test_it_goes_down_to_the_side_that_is_said(truths: list[dict]) -> None:
    for truth in truths:
        x = np.array(truth["objects"][0]["position"])[:, 0]
        if truth["facts"]["outcome"] != "sticks":
            assert (x[-1] > x[0]) == (truth["facts"]["details"]["direction"] == "right"), truth["seed"]


def test_what_rolls_back_is_not_said_to_end_at_the_wall() -> None:
    near = re.compile("ends up near|最后到了墙边")
    said = {True: "", False: ""}
    for seed in range(12):
        truth = simulate("ramp", seed, num_frames=33)
        p, x = truth["parameters"], np.array(truth["objects"][0]["position"])[:, 0]
        back = (p["side"] * (x - x[-1])).max() > p["size"]
        assert truth["facts"]["details"]["rebounds"] == (truth["facts"]["details"]["hit_wall"] and back)
        said[truth["facts"]["details"]["rebounds"]] += str(caption_truth(truth, 20))
    assert near.search(said[False]) and not near.search(said[True])
    assert re.search("back from the wall", said[True]) and re.search("弹了回来", said[True])


def test_what_lies_outdoors_is_no_floor(truths: list[dict]) -> None:
    for truth in truths:
        if truth["look"]["floor"] in ("grass", "sand"):
            assert "floor" not in str(caption_truth(truth, 20)["en"]), truth["seed"]
