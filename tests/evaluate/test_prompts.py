import json
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from worldloom.core.error import UsageError
from worldloom.evaluate.command import evaluate
from worldloom.evaluate.examples import SEED_BASE
from worldloom.evaluate.judge import Judge, Verdict
from worldloom.evaluate.prompts import (
    Answer,
    Case,
    PromptSuite,
    Score,
    confusions,
    language_of,
    make_case,
    names_colour,
    row,
    rows,
    run_prompts,
    score,
    sheets,
)

SUITE = PromptSuite(num=4, families=("bounce",), width=32, height=32, num_frames=9)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [make_case(SUITE, number) for number in range(SUITE.num)]


def verdict(family: str, **areas: float) -> Verdict:
    return Verdict(family, 0.9, {colour: np.array([area, 0.0]) for colour, area in areas.items()})


def case(colour: str | None = "red", num_colours: int = 1, family: str = "bounce", number: int = 0) -> Case:
    clip = np.zeros((2, 8, 8, 3), np.uint8)
    return Case(number, ("en", "zh")[number % 2], "short", family, 1, "a red ball", colour, num_colours, clip)


def test_half_the_prompts_are_chinese_and_all_are_held_out(cases: list[Case]) -> None:
    assert [c.language for c in cases] == ["en", "zh", "en", "zh"]
    for c in cases:
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in c.prompt)
        assert chinese == (c.language == "zh"), c.prompt
        assert c.world_seed > SEED_BASE and c.real.shape == (9, 32, 32, 3)
    assert len({c.world_seed for c in cases}) == 4


@pytest.mark.parametrize("count", [1, 2, 3, 12, 13])
def test_every_family_is_asked_in_both_languages_equally(count: int) -> None:
    asked = [(number % count, language_of(number, count)) for number in range(4 * count)]
    assert all(asked.count((family, language)) == 2 for family in range(count) for language in ("en", "zh"))


def test_a_colour_is_right_among_as_many_as_there_are() -> None:
    seen = verdict("bounce", red=0.1, blue=0.2)
    assert score(seen, case("blue")) == Score(True, True, 0.5)
    assert score(seen, case("red")).colour is False
    assert score(seen, case("red", num_colours=2)).colour is True
    assert score(seen, case("green", num_colours=3)).colour is False
    assert score(seen, case(None)).colour is None
    assert score(seen, case(family="ramp")).family is False


def test_a_prompt_that_names_no_colour_is_not_asked_for_one() -> None:
    assert names_colour("A Red ball", "red", "en") and names_colour("一个红球", "red", "zh")
    assert not names_colour("a ball bounces", "red", "en") and not names_colour("一个球", "red", "zh")


def test_rows_count_and_bound() -> None:
    figures = row([Score(True, True, 1.0), Score(False, None, 0.5), Score(True, False, 0.0)])
    assert figures["clips"] == 3
    assert figures["family"]["right"] == 2 and figures["family"]["share"] == 0.6667
    assert figures["colour"]["of"] == 2 and figures["colour"]["share"] == 0.5
    assert figures["visible"]["share"] == 0.5
    assert row([Score(True, None, 1.0)])["colour"]["share"] is None


def test_a_painter_of_the_real_takes_reaches_the_ceiling(cases: list[Case], judge: Judge) -> None:
    takes = {c.prompt: c.real for c in cases}
    answers = run_prompts(SUITE, judge, lambda prompt, seed: takes[prompt], quiet=True)
    table = rows(answers)
    assert table["model"] == table["real"] and table["model, zh"] == table["real, zh"]
    assert {"real, en", "real, zh", "real, bounce"} < set(table)
    assert len({a.seed for a in answers}) == 4


def test_a_painter_of_nothing_shows_nothing(judge: Judge) -> None:
    answers = run_prompts(
        SUITE, judge, lambda prompt, seed: np.full((9, 32, 32, 3), 110, np.uint8), quiet=True
    )
    table = rows(answers)
    assert table["model"]["visible"]["share"] == 0 and table["model"]["colour"]["right"] == 0
    assert table["real"]["visible"]["share"] > 0.3


def test_confusions_and_sheets_show_the_model_under_the_take() -> None:
    clip = np.zeros((2, 8, 8, 3), np.uint8)
    made = [
        Answer(case(number=n), n, Score(True, True, 1.0), Score(False, True, 1.0), verdict("bounce", red=0.1), verdict("ramp", red=0.1), clip)
        for n in range(2)
    ]  # fmt: skip
    assert confusions(made) == {"bounce taken for ramp": 2}
    assert list(sheets(made)) == ["bounce"]
    assert sheets(made)["bounce"].shape[0] == 2 * sheets(made[:1])["bounce"].shape[0]


def test_the_command_judges_a_real_checkpoint_and_writes_its_report(judge: Judge, tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    accuracy = {
        name: {"right": 9, "of": 10, "interval": [0.6, 1.0]} for name in ("family", "colour", "visible")
    }
    judge.save(path, accuracy)
    model, out = tiny.checkpoint(tmp_path / "debug"), tmp_path / "out"
    suite = PromptSuite(num=2, families=("bounce",), width=32, height=32, num_frames=9)
    result, text = evaluate("prompts", str(model), output=out, prompts=suite, judge=path, quiet=True)
    assert result["rows"]["model"]["clips"] == result["rows"]["real"]["clips"] == 2
    assert "num_steps 2" in result["painting"]
    assert "real, zh" in text and "family 9/10" in text and "suite seed 0" in text
    stored = json.loads((out / "prompts.json").read_text())
    assert [c["language"] for c in stored["cases"]] == ["en", "zh"] and stored["rows"] == result["rows"]
    assert (out / "prompts-bounce.png").stat().st_size > 0
    again, _ = evaluate("prompts", str(model), output=tmp_path / "b", prompts=suite, judge=path, quiet=True)
    assert again["rows"] == result["rows"]
    with pytest.raises(UsageError, match="exists already"):
        evaluate("prompts", str(model), output=out, prompts=suite, judge=path, quiet=True)


def test_wrong_usage_is_one_sentence(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no suite called 'beauty'; there are prompts, autoencoder, judge"):
        evaluate("beauty", output=tmp_path)
    with pytest.raises(UsageError, match="there is no judge at"):
        evaluate("prompts", "none", output=tmp_path, judge=tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match="not trained on stack"):
        run_prompts(PromptSuite(num=1, families=("stack",)), judge, None)
    for wrong in ({"num": 0}, {"seed": -1}, {"families": ("tea",)}, {"families": ()}):
        with pytest.raises(UsageError):
            PromptSuite(**wrong)
