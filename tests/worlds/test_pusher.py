"""What the arm does to the block is what the block's poses show."""

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.pusher import TABLE, TIP, Pusher
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("pusher", seed, num_frames=17) for seed in range(20)]


def test_every_outcome_happens_and_poses_agree(truths: list[dict]) -> None:
    for truth in truths:
        block, outcome = truth["objects"][0], truth["facts"]["outcome"]
        path = np.asarray(block["position"])
        assert np.isfinite(path).all()
        moved = np.linalg.norm(path[-1] - path[0])
        _, x, y, _ = np.asarray(block["quaternion"])[-1]
        if outcome == "missed":
            assert moved < 0.05 and not [
                c for c in truth["contacts"] if {c["first"], c["second"]} == {"block", "arm"}
            ]
        elif outcome == "falls_off":
            assert path[-1, 2] < TABLE[2]
        elif outcome == "topples":
            assert 1 - 2 * (x * x + y * y) < 0.7 and path[-1, 2] > TABLE[2]
        else:
            assert moved > 0.05 and 1 - 2 * (x * x + y * y) > 0.9 and path[-1, 2] > TABLE[2]
    assert {truth["facts"]["outcome"] for truth in truths} == set(Pusher.OUTCOMES)


def test_actions_add_up_to_the_way_of_the_tip(truths: list[dict]) -> None:
    for truth in truths:
        actions = np.asarray(truth["actions"])
        assert actions.shape == (17, 2)
        begin, end = (np.asarray(truth["parameters"][name]) for name in ("begin", "end"))
        assert actions.sum(axis=0) / truth["fps"] == pytest.approx(end - begin, abs=0.05)


def test_same_seed_same_truth() -> None:
    assert simulate("pusher", 3, num_frames=17) == simulate("pusher", 3, num_frames=17)


def test_the_tip_clears_the_table_and_the_blocks_start_apart(truths: list[dict]) -> None:
    for truth in truths:
        parameters = truth["parameters"]
        assert parameters["tip_height"] > TIP, truth["seed"]
        if len(parameters["blocks"]) == 2:
            first, second = parameters["blocks"]
            apart = [abs(first[axis] - second[axis]) for axis in "xy"]
            assert any(apart[i] > first["half"][i] + second["half"][i] for i in (0, 1)), truth["seed"]


def test_it_is_the_block_that_is_said_to_bump(truths: list[dict]) -> None:
    bumps = [truth for truth in truths if truth["facts"]["details"]["bumps"]]
    assert bumps
    for truth in bumps:
        for text in caption_truth(truth, 20)["en"]["dense"]:
            first, second = (truth["objects"][index]["colour"] for index in (0, 1))
            assert re.search(rf"the {first} block (bumps into|runs against) the {second}", text.lower()), text


def test_a_bump_on_the_way_is_told_before_the_edge(truths: list[dict]) -> None:
    bumped = next(truth for truth in truths if truth["facts"]["details"]["bumps"])
    off = {"key": "fall_off", "frame": 15, "who": "block", "whom": "table"}
    facts = bumped["facts"] | {"outcome": "falls_off", "events": [*bumped["facts"]["events"], off]}
    captions = caption_truth(bumped | {"facts": facts}, 20)
    for text in captions["en"]["dense"]:
        assert re.search(r"bumps into|runs against", text).start() < text.find("to the edge"), text
    for text in captions["zh"]["dense"]:
        bump, edge = re.search("撞到了|碰上了", text), re.search("被推到桌边|滑到桌沿", text)
        assert bump and edge and bump.start() < edge.start(), text
