"""The dominoes family: the counts of the facts against the tilt of every domino."""

from __future__ import annotations

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("dominoes", seed, num_frames=17) for seed in range(20)]


def _down(truth: dict) -> np.ndarray:
    """Whether each domino's up axis ends more than 15 degrees off the vertical."""
    last = np.array([entry["quaternion"][-1] for entry in truth["objects"][1:]])
    upright = 1 - 2 * (last[:, 1] ** 2 + last[:, 2] ** 2)
    return np.degrees(np.arccos(np.clip(upright, -1, 1))) > 15


def test_every_outcome_comes_up(truths: list[dict]) -> None:
    assert {truth["facts"]["outcome"] for truth in truths} == {"all_fall", "gap_stops", "first_holds"}


def test_counts_are_those_of_the_poses(truths: list[dict]) -> None:
    for truth in truths:
        down, details = _down(truth), truth["facts"]["details"]
        assert (details["fallen"], details["standing"]) == (down.sum(), (~down).sum()), truth["seed"]
        assert (truth["facts"]["outcome"] == "all_fall") == bool(down.all())


def test_a_stopped_chain_stops_at_the_gap(truths: list[dict]) -> None:
    for truth in truths:
        if truth["facts"]["outcome"] == "gap_stops":
            down, places = _down(truth), np.array(truth["parameters"]["places"])
            widest = int(np.argmax(np.diff(places))) + 1
            assert down[:widest].all(), truth["seed"]
            assert not down[widest:].any(), truth["seed"]


def test_they_fall_in_order(truths: list[dict]) -> None:
    for truth in truths:
        falls = [event for event in truth["facts"]["events"] if event["key"] == "fall"]
        frames = {event["who"]: event["frame"] for event in falls}
        in_order = [frames[name] for name in truth["facts"]["cast"][2:] if name in frames]
        assert in_order == sorted(in_order), truth["seed"]


WAVE = ("one by one", "one after another", "wave of falling", "一个接一个", "依次", "接连", "波浪")


def test_a_wave_is_told_only_where_one_can_be_seen(truths: list[dict]) -> None:
    whole = next(t for t in truths if t["facts"]["details"]["fallen"] == t["facts"]["details"]["count"] == 5)
    assert all(words in _told(whole, (5, 6, 8, 10, 12)) for words in WAVE)
    for frames in ((6, 5, 6, 6, 7), (5, 5, 5, 7, 8), (5, 5, 6, 6, 12), (6, 6, 6, 6, 6)):
        seen = len(set(frames)) >= 3 and frames[-1] - frames[0] >= 5
        assert any(words in _told(whole, frames) for words in WAVE) == seen, frames


def _told(truth: dict, frames: tuple[int, ...]) -> str:
    """Everything said of the take if its dominoes fell at those frames, in the row's order."""
    falls = [
        {"key": "fall", "frame": frame, "who": f"domino_{index + 1}", "whom": None}
        for index, frame in enumerate(frames)
    ]
    rest = [event for event in truth["facts"]["events"] if event["key"] not in ("fall", "last_fall")]
    captions = caption_truth(truth | {"facts": truth["facts"] | {"events": rest + falls}}, 40)
    return str((captions["en"], captions["zh"]))
