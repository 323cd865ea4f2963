"""The car obeys its recorded actions."""

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.drive import Drive
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("drive", seed, num_frames=17) for seed in range(20)]


def turned(truth: dict) -> float:
    """Degrees between the first and the last velocity of the car, positive to its left."""
    first, last = (np.asarray(truth["objects"][0]["velocity"])[at, :2] for at in (0, -1))
    return float(np.degrees(np.arctan2(first[0] * last[1] - first[1] * last[0], first @ last)))


def test_every_outcome_happens_and_motion_agrees(truths: list[dict]) -> None:
    for truth in truths:
        outcome = truth["facts"]["outcome"]
        speed = np.linalg.norm(np.asarray(truth["objects"][0]["velocity"])[-1, :2])
        if outcome in ("turns_left", "turns_right"):
            assert turned(truth) * (1 if outcome == "turns_left" else -1) > 20
        elif outcome == "stops":
            assert speed < 0.15
        elif outcome == "goes_straight":
            assert abs(turned(truth)) < 10 and speed > 0.5
        else:
            cones = [thing for thing in truth["objects"] if thing["noun"] == "cone" and thing["moving"]]
            path = np.asarray(cones[0]["position"])
            assert np.linalg.norm(path[-1] - path[0]) > 0.02
    assert {truth["facts"]["outcome"] for truth in truths} == set(Drive.OUTCOMES)


def test_one_action_per_frame_and_steering_decides_the_side(truths: list[dict]) -> None:
    for truth in truths:
        actions = np.asarray(truth["actions"])
        assert actions.shape == (17, 2)
        steer = actions[-1, 0]
        if steer:
            assert np.sign(turned(truth)) == np.sign(steer)


def test_the_car_stays_on_its_wheels(truths: list[dict]) -> None:
    for truth in truths:
        _, x, y, _ = np.asarray(truth["objects"][0]["quaternion"]).T
        assert (1 - 2 * (x * x + y * y) > 0.98).all()
        assert np.abs(np.asarray(truth["objects"][0]["position"])[:, 2]).max() < 0.05


def test_same_seed_same_truth() -> None:
    assert simulate("drive", 3, num_frames=17) == simulate("drive", 3, num_frames=17)


def test_a_cone_that_is_pushed_along_is_not_said_to_be_knocked_aside(truths: list[dict]) -> None:
    hits = [truth for truth in truths if truth["facts"]["outcome"] == "hits_cone"]
    for truth in hits:
        cone = next(thing for thing in truth["objects"] if thing["noun"] == "cone" and thing["moving"])
        gap = np.subtract(cone["position"][-1], truth["objects"][0]["position"][-1])[:2]
        assert np.linalg.norm(gap) < 0.5, truth["seed"]
    said = str([caption_truth(truth, 20)["zh"] for truth in hits])
    assert "撞得挪了位置" in said and "撞开" not in said


def test_a_little_car_is_little_before_it_is_of_a_colour(truths: list[dict]) -> None:
    said = [text for t in truths for texts in caption_truth(t, 8)["en"].values() for text in texts]
    little = [text for text in said if "little" in text]
    assert little and all(re.search(r"\b([Aa]|[Tt]he) little", text) for text in little)
    gloss = [text for text in said if re.search("shiny|glossy", text)]
    assert gloss and not [
        text for text in gloss if re.search(r"(red|green|blue|white|black) (shiny|glossy)", text)
    ]
