"""Remixes: what a clip's own settings decide, what takes their place, and whose clips are refused."""

from typing import Any

import numpy as np
import pytest

from tests.generate.conftest import moving_clip
from worldloom.core.error import UsageError
from worldloom.generate.clip import Clip
from worldloom.generate.recorded import recorded_request
from worldloom.generate.stream import Stream

RECORDED = {
    "sampler": "heun",
    "steps": 3,
    "guidance": 2.5,
    "shift": 4.0,
    "negative": "blue",
    "style": "night",
}


@pytest.fixture(scope="module")
def clip(stream: Stream) -> Clip:
    return stream.generate("a red ball", num_frames=9, seed=5, **RECORDED).clip()


def test_the_recorded_settings_hold(stream: Stream, clip: Clip) -> None:
    remix = stream.remix(clip, "a green ball").settings
    assert {name: remix[name] for name in RECORDED} == RECORDED
    assert (remix["verb"], remix["prompt"], remix["words"]) == (
        "remix",
        "a green ball",
        "a green ball, at night, in moonlight",
    )
    assert stream.remix(clip).settings["prompt"] == "a red ball"


def test_what_is_said_takes_their_place(stream: Stream, clip: Clip) -> None:
    other = stream.remix(clip, steps=2, seed=9).settings
    assert (other["steps"], other["seed"], other["guidance"]) == (2, 9, 2.5)
    styled = stream.remix(clip, style="draft").settings  # brings settings of its own
    assert (styled["style"], styled["steps"], styled["negative"]) == ("draft", 8, "")


def test_a_remix_is_an_edit(stream: Stream, clip: Clip) -> None:
    remix = stream.remix(clip, "a box", strength=0.4, seed=2).clip()
    edit = stream.edit(clip, "a box", strength=0.4, seed=2, **RECORDED).clip()
    assert np.array_equal(remix.frames, edit.frames) and remix.settings["strength"] == 0.4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "carries no settings of ours"),
        ({"prompt": "a ball"}, "no settings of ours"),
        ({"generator": "worldloom"}, "no settings of ours"),
        ({"generator": "worldloom", "prompt": "a", "steps": "many"}, "steps 'many'"),
        ({"generator": "worldloom", "prompt": "a", "steps": True}, "steps True"),
        ({"generator": "worldloom", "prompt": "a", "guidance": [3]}, r"guidance \[3\]"),
    ],
)
def test_clips_that_do_not_say_how_they_were_made(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        recorded_request(settings, "the clip")


def test_a_recorded_value_out_of_range(stream: Stream) -> None:
    clip = Clip(
        moving_clip(2).frames, moving_clip(2).fps, {"generator": "worldloom", "prompt": "a", "steps": 0}
    )
    with pytest.raises(UsageError, match="steps is 0"):
        stream.remix(clip)
