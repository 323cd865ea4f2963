"""Named styles: words that are added, settings that give way, files of the user's own."""

from pathlib import Path

import pytest

from worldloom.core.error import UsageError
from worldloom.generate.preset import PACKAGED, find_preset, list_presets, user_folder
from worldloom.generate.stream import Stream


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "worldloom" / "styles"
    folder.mkdir(parents=True)
    assert folder == user_folder()
    return folder


def test_packaged_styles_are_sound_and_say_what_they_are() -> None:
    assert {"draft", "night", "studio"} <= set(list_presets()) == {path.stem for path in PACKAGED.iterdir()}
    for name in list_presets():
        preset = find_preset(name)
        assert preset.description and (preset.prompt or preset.steps), name
        assert bool(preset.prompt) == bool(preset.prompt_zh), name


def test_words_are_added_in_the_prompts_language() -> None:
    night = find_preset("night")
    assert night.words("A red ball bounces.") == "A red ball bounces, at night, in moonlight"
    assert night.words("一个红球弹跳。") == "一个红球弹跳，夜里，月光下"
    assert night.words("") == "at night, in moonlight"
    assert find_preset("draft").words("A red ball. ") == "A red ball. "
    assert find_preset(None).words("A red ball. ") == "A red ball. "


def test_a_request_overrules_a_style(stream: Stream, own: Path) -> None:
    (own / "mine.toml").write_text('prompt = "in the rain"\nnegative = "sun"\nsteps = 3\nguidance = 5\n')
    style = stream.generate("a ball", num_frames=9, seed=1, style="mine").settings
    assert (style["steps"], style["guidance"], style["negative"]) == (3, 5.0, "sun")
    assert (style["prompt"], style["style"], style["words"]) == ("a ball", "mine", "a ball, in the rain")
    other = stream.generate("a ball", num_frames=9, seed=1, style="mine", steps=7, negative="snow").settings
    assert (other["steps"], other["guidance"], other["negative"]) == (7, 5.0, "snow")
    assert "style" not in stream.generate("a ball", num_frames=9, seed=1).settings


def test_the_style_reaches_the_model(stream: Stream) -> None:
    def frames(**how: str) -> bytes:
        return stream.generate("a ball", num_frames=9, seed=1, **how).clip().frames.tobytes()

    assert frames() != frames(style="studio")


def test_ones_own_style_takes_the_packaged_ones_place(own: Path) -> None:
    (own / "night.toml").write_text('prompt = "under neon light"\n')
    assert find_preset("night").words("a car") == "a car, under neon light"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps = ", "mine.toml is not TOML"),
        ("colour = 'red'", "mine.toml has unknown keys colour; allowed: description, prompt"),
        ("steps = 'many'", "mine.toml: steps is 'many'"),
        ("prompt = 3", "mine.toml: prompt is 3; it must be of type str"),
        ("#" * 70_000, "at most 65536"),
    ],
)
def test_files_that_are_no_style(own: Path, text: str, says: str) -> None:
    (own / "mine.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        find_preset("mine")


def test_an_unknown_style_names_the_known_ones(stream: Stream) -> None:
    with pytest.raises(UsageError, match=r"no style 'nigth'; known are draft, .*night, .*styles"):
        stream.generate("a ball", style="nigth")


def test_a_style_of_impossible_settings(stream: Stream, own: Path) -> None:
    (own / "mine.toml").write_text("steps = 0\n")
    with pytest.raises(UsageError, match="steps is 0"):
        stream.generate("a ball", style="mine")
