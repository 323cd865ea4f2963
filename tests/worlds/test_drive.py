"""The car obeys its recorded actions."""

import numpy as np
import pytest

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
