"""A take is a pure function of its arguments, and its truth fits its pixels."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.render import render_take
from worldloom.worlds.stage import simulate
from worldloom.worlds.take import Take


def digest(take: Take) -> str:
    return hashlib.sha256(take.frames.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def bounce() -> Take:
    return render_take("bounce", 3, width=96, height=64, num_frames=9, masks=True, depth=True)


def test_there_are_the_families_of_the_contract() -> None:
    wanted = (
        "bounce basketball stack dominoes ramp billiards pendulum pour pillow occluder fragile drive pusher"
    )
    assert set(wanted.split()) <= set(FAMILIES)


def test_same_seed_same_pixels_in_another_process(bounce: Take) -> None:
    program = (
        "import hashlib; from worldloom.worlds.render import render_take;"
        "take = render_take('bounce', 3, width=96, height=64, num_frames=9);"
        "print(hashlib.sha256(take.frames.tobytes()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert other == digest(bounce)


def test_another_seed_gives_other_pixels(bounce: Take) -> None:
    assert digest(render_take("bounce", 4, width=96, height=64, num_frames=9)) != digest(bounce)


def test_shapes_and_kinds(bounce: Take) -> None:
    assert bounce.frames.shape == (9, 64, 96, 3) and bounce.frames.dtype == np.uint8
    assert bounce.masks is not None and bounce.masks.shape == (9, 64, 96)
    assert bounce.depth is not None and bounce.depth.shape == (9, 64, 96)


def test_masks_show_where_the_colours_are(bounce: Take) -> None:
    assert bounce.masks is not None
    for number in range(1, len(bounce.truth["objects"]) + 1):
        inside = bounce.masks == number
        assert inside.any(), f"object {number} is in no frame"
        around = bounce.frames[~(bounce.masks > 0)].astype(float).mean(0)
        assert np.abs(bounce.frames[inside].astype(float).mean(0) - around).max() > 10


def test_depth_of_an_object_is_less_than_of_the_floor_behind(bounce: Take) -> None:
    assert bounce.masks is not None and bounce.depth is not None
    distance = bounce.truth["camera"][0]["distance"]
    inside = bounce.depth[0][bounce.masks[0] == 1]
    assert np.median(inside) == pytest.approx(distance, rel=0.25)
    assert bounce.depth[0].max() > np.median(inside)


def test_truth_is_plain_json_with_an_entry_per_frame(bounce: Take) -> None:
    truth = json.loads(json.dumps(bounce.truth))
    assert truth["family"] == "bounce" and truth["num_frames"] == 9 and len(truth["camera"]) == 9
    for thing in truth["objects"]:
        assert {"name", "noun", "colour", "material", "moving"} <= set(thing)
        for track, width in (("position", 3), ("quaternion", 4), ("velocity", 3), ("spin", 3)):
            assert np.asarray(thing[track]).shape == (9, width)


def test_a_falling_ball_obeys_gravity() -> None:
    truth = simulate("bounce", 3, num_frames=33)
    first = min(c["frame"] for c in truth["contacts"] if "floor" in (c["first"], c["second"]))
    speeds = np.asarray(truth["objects"][0]["velocity"])[: first - 1, 2]
    assert np.diff(speeds) * truth["fps"] == pytest.approx(-9.81, abs=0.05)


def test_simulating_alone_tells_the_same_truth(bounce: Take) -> None:
    alone = simulate("bounce", 3, num_frames=9)
    assert alone["objects"] == bounce.truth["objects"] and alone["facts"] == bounce.truth["facts"]


def test_supersampling_keeps_the_picture_but_smooths_it() -> None:
    coarse, fine = (
        render_take("bounce", 3, width=64, height=64, num_frames=1, supersample=n).frames[0].astype(float)
        for n in (1, 2)
    )
    assert np.abs(coarse - fine).mean() < 6
    assert not np.array_equal(coarse, fine)


def test_a_picture_is_one_frame_from_the_middle_of_the_run() -> None:
    take = render_take("bounce", 5, width=64, height=64, num_frames=1)
    assert take.frames.shape == (1, 64, 64, 3)


@pytest.mark.parametrize("bad", [{"width": 0}, {"num_frames": 0}, {"fps": 0}])
def test_impossible_numbers_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        render_take("bounce", 0, **bad)


def test_unknown_family_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'bouncy'.*basketball"):
        render_take("bouncy", 0)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_renders_its_main_object(name: str) -> None:
    take = render_take(name, 1, width=64, height=64, num_frames=3, masks=True)
    assert take.masks is not None and (take.masks[0] == 1).any()
    assert take.frames.std() > 5
    assert take.truth["facts"]["outcome"] in FAMILIES[name].OUTCOMES
    assert {event["key"] for event in take.truth["facts"]["events"]} <= set(FAMILIES[name].EVENTS)
