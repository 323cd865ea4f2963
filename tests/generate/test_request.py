"""Requests are completed from the card, or refused with the allowed values."""

from fractions import Fraction
from typing import Any

import pytest

from tests.tiny import CARD
from worldloom.core.error import UsageError
from worldloom.generate.request import check_fps, check_style, count_frames


def test_the_model_fills_what_is_left_out() -> None:
    style = check_style(CARD, "a ball", seed=7)
    assert (style.sampler, style.num_steps, style.guidance_scale, style.shift) == ("euler", 2, 2.0, 3.0)
    assert style.seed == 7
    assert check_style(CARD, "a ball", steps=5, guidance=1.0).num_steps == 5


def test_a_random_seed_is_drawn_and_kept() -> None:
    seeds = {check_style(CARD, "a ball", seed=-1).settings()["seed"] for _ in range(8)}
    assert len(seeds) > 1 and all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n\t "}, "prompt is empty"),
        ({"prompt": "x" * 32_001}, "32001 characters"),
        ({"negative": "x" * 32_001}, "negative prompt has 32001"),
        ({"seed": -2}, "seed -2"),
        ({"seed": 2**63}, "out of range"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 1001}, "from 1 to 1000"),
        ({"guidance": 0.5}, "guidance is 0.5"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"guidance": float("inf")}, "guidance is inf"),
        ({"sampler": "magic"}, "euler, heun, unipc"),
        ({"shift": 0.0}, "shift is 0"),
    ],
)
def test_style_refuses(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_style(CARD, **({"prompt": "a ball"} | wrong))


def test_durations() -> None:
    fps = Fraction(16)
    assert count_frames(fps, seconds=2) == 32
    assert count_frames(Fraction(30000, 1001), seconds=1) == 30
    assert count_frames(fps, num_frames=5) == 5
    assert count_frames(fps, default=33) == 33


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 0.0},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"seconds": 601.0},
        {"seconds": 0.01},
        {"num_frames": 0},
        {"num_frames": 10**9},
        {"seconds": 1.0, "num_frames": 16},
        {},
    ],
)
def test_durations_refuse(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"seconds|frames"):
        count_frames(Fraction(16), **wrong)


def test_frame_rates() -> None:
    assert check_fps(None, CARD.fps) == 16
    assert check_fps(29.97, CARD.fps) == Fraction(2997, 100)
    for wrong in (0, -1, 121, float("nan")):
        with pytest.raises(UsageError, match="fps"):
            check_fps(wrong, CARD.fps)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"temperature": 2.5}, "temperature is 2.5; it must be from 0 to 2"),
        ({"epsilon_scale": 0.2}, "epsilon_scale is 0.2; it must be from 0.5 to 1.5"),
        ({"deflicker": 65}, "deflicker is 65; it must be from 0 to 64"),
        ({"history_guidance": 60}, "history_guidance is 60; it must be from 0 to 50"),
        ({"reuse": 0.6}, "reuse is 0.6; it must be from 0 to 0.5"),
        ({"guidance_range": (0.9, 0.3)}, "the guidance range is 0.9 to 0.3"),
    ],
)
def test_impossible_settings_are_refused(how, complaint):
    with pytest.raises(UsageError, match=complaint):
        check_style(CARD, "a ball", **how)
