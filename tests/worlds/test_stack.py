"""The stack family: what is said to have fallen lies lower than it stood."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("stack", seed, num_frames=17) for seed in range(20)]


def _heights(truth: dict) -> np.ndarray:
    """Heights of the blocks (m), [F, blocks]."""
    return np.array([entry["position"] for entry in truth["objects"][1:]])[:, :, 2].T


def test_every_outcome_comes_up(truths: list[dict]) -> None:
    assert {truth["facts"]["outcome"] for truth in truths} == {"topples", "loses_some", "stands"}


def test_the_pile_is_lower_in_the_order_of_the_outcomes(truths: list[dict]) -> None:
    lost: dict[str, list[float]] = {}
    for truth in truths:
        heights = _heights(truth)
        lost.setdefault(truth["facts"]["outcome"], []).append(1 - heights[-1].mean() / heights[0].mean())
    assert max(lost["stands"]) < 0.02
    assert min(lost["loses_some"]) > 0
    assert np.mean(lost["topples"]) > np.mean(lost["loses_some"])


def test_blocks_rest_until_they_are_struck(truths: list[dict]) -> None:
    for truth in truths:
        strikes = [event["frame"] for event in truth["facts"]["events"] if event["key"] == "strike"]
        before = _heights(truth)[: strikes[0] if strikes else None]
        assert np.abs(before - before[0]).max() < 0.004, truth["seed"]


def test_nothing_gains_height_from_nowhere(truths: list[dict]) -> None:
    for truth in truths:
        objects = np.array([entry["position"] for entry in truth["objects"]])
        assert np.isfinite(objects).all()
        assert objects[:, :, 2].max() < objects[:, 0, 2].max() + 0.5, truth["seed"]
        assert objects[:, :, 2].min() > 0.02, truth["seed"]


def test_same_seed_same_run(truths: list[dict]) -> None:
    assert simulate("stack", 3, num_frames=17) == truths[3]


def test_the_landing_is_told_in_its_place(truths: list[dict]) -> None:
    for truth in truths:
        frames = {
            key: [e["frame"] for e in truth["facts"]["events"] if e["key"] == key] for key in ("land", "fall")
        }
        for text in caption_truth(truth, 8)["en"]["dense"]:
            told = re.search(r"ball (drops|lands) (to|on) the ground", text)
            if not told or not frames["fall"]:
                continue
            fall = re.search(r"blocks? (falls?|tumble|comes?|keeps)", text)
            assert fall and not frames["fall"][0] <= frames["land"][0] < frames["fall"][-1], truth["seed"]
            assert (told.start() < fall.start()) == (frames["land"][0] < frames["fall"][0]), truth["seed"]


def test_blocks_are_scattered_only_where_they_lie_apart(truths: list[dict]) -> None:
    for truth in truths:
        if not truth["facts"]["details"]["scattered"]:
            assert not re.search("littered|散", str(caption_truth(truth, 8)))
    assert {truth["facts"]["details"]["scattered"] for truth in truths} == {True, False}
