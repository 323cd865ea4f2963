"""The billiards family: who was hit, that all stay on the table, that no hit makes energy."""

from __future__ import annotations

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
