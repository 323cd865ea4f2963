"""Eggs break above a force, by what they fall on and from where; tomatoes never do."""

import numpy as np
import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families.fragile import Fragile
from worldloom.worlds.stage import simulate


@pytest.fixture(scope="module")
def truths() -> list[dict]:
    return [simulate("fragile", seed, num_frames=17) for seed in range(20)]


def test_every_outcome_happens(truths: list[dict]) -> None:
    assert {truth["facts"]["outcome"] for truth in truths} == set(Fragile.OUTCOMES)


def test_the_cause_decides(truths: list[dict]) -> None:
    for truth in truths:
        kind, cause, outcome = (
            *(truth["parameters"][k] for k in ("kind", "cause")),
            truth["facts"]["outcome"],
        )
        if kind == "tomato":
            assert outcome == "tomato_survives"
        elif cause in ("cushion", "low"):
            assert outcome == "egg_survives"
        elif cause == "drop":
            assert outcome == "egg_breaks"


def test_pieces_are_there_when_and_only_when_the_egg_broke(truths: list[dict]) -> None:
    for truth in truths:
        pieces = [thing for thing in truth["objects"] if thing["noun"] in ("yolk", "shell")]
        for piece in pieces:
            heights = np.asarray(piece["position"])[:, 2]
            assert np.isfinite(heights).all()
            shown = heights > -0.1
            if truth["facts"]["outcome"] == "egg_breaks":
                frame = next(e["frame"] for e in truth["facts"]["events"] if e["key"] == "break")
                assert shown[frame:].all() and not shown[:frame].any()
            else:
                assert not shown.any()


def test_a_whole_egg_breaks_only_after_a_touch(truths: list[dict]) -> None:
    for truth in truths:
        if truth["facts"]["outcome"] == "egg_breaks":
            broke = next(e["frame"] for e in truth["facts"]["events"] if e["key"] == "break")
            touched = min(c["frame"] for c in truth["contacts"] if "egg" in (c["first"], c["second"]))
            assert touched <= broke < 0.7 * truth["num_frames"]


def test_same_seed_same_truth() -> None:
    assert simulate("fragile", 3, num_frames=17) == simulate("fragile", 3, num_frames=17)


def test_an_egg_that_breaks_under_the_blow_is_said_to_break_on_the_ledge(truths: list[dict]) -> None:
    blows = 0
    for truth in truths:
        frames = {event["key"]: event["frame"] for event in truth["facts"]["events"]}
        if truth["parameters"]["cause"] == "knock" and "break" in frames:
            captions = caption_truth(truth, 8)
            assert "between" not in str(captions["en"]) and "之间" not in str(captions["zh"]), truth["seed"]
            if "land" not in frames or frames["break"] < frames["land"]:
                blows += 1
                assert all("on top of" in text for text in captions["en"]["short"]), truth["seed"]
    assert blows


def test_what_falls_is_not_said_to_be_in_the_air_on_a_floor(truths: list[dict]) -> None:
    said = str([caption_truth(truth, 20) for truth in truths if truth["parameters"]["cause"] == "drop"])
    assert "falls down on" in said and "从空中落下" in said
    for words in ("through the air on", "above the ground", "在空中"):
        assert words not in said


def test_all_that_is_left_includes_the_white(truths: list[dict]) -> None:
    said = str([caption_truth(truth, 20) for truth in truths if truth["facts"]["outcome"] == "egg_breaks"])
    assert "all that is left of it is yolk, white and broken shell" in said.lower()
    assert "只剩下蛋黄、蛋清和破碎的蛋壳" in said
    assert "between" not in said and "之间" not in said  # one half may roll out of the picture


def test_a_soft_cushion_is_not_said_to_be_of_stone(truths: list[dict]) -> None:
    truth = next(truth for truth in truths if truth["parameters"]["cause"] == "cushion")
    said = {
        material: str(caption_truth(_covered(truth, material), 20))
        for material in ("marble", "metal", "striped")
    }
    assert "marble" not in said["marble"] and "大理石" not in said["marble"]
    assert "metal" not in said["metal"] and "金属" not in said["metal"]
    assert "striped" in said["striped"] and "条纹" in said["striped"]


def _covered(truth: dict, material: str) -> dict:
    """The take with its cushion in another material, on sand."""
    objects = [
        entry | ({"material": material} if entry["noun"] == "cushion" else {}) for entry in truth["objects"]
    ]
    return truth | {"objects": objects, "look": truth["look"] | {"floor": "sand"}}
