import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import tiny
from tests.evaluate.conftest import CONFIG
from worldloom.core.error import UsageError
from worldloom.evaluate.command import evaluate
from worldloom.evaluate.examples import SEED_BASE
from worldloom.evaluate.judge import HEADS, Judge, JudgeConfig, Verdict
from worldloom.evaluate.labels import Labels
from worldloom.evaluate.prompts import (
    Answer,
    Case,
    PromptSuite,
    Score,
    confusions,
    language_of,
    lines,
    make_case,
    run_prompts,
    score,
    sheets,
)
from worldloom.evaluate.suite import Line
from worldloom.worlds.families import FAMILIES

SUITE = PromptSuite(num=4, families=("bounce",), width=32, height=32, num_frames=9)
LABELS = Labels("bounce", "red", "rubber", 1, "still", "bounce: rolls_away")
CLIP = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [make_case(SUITE, number) for number in range(SUITE.num)]


def verdict(best: dict[str, str], **areas: float) -> Verdict:
    """A judge's answers: the named ones are the best, all others alike."""
    scores = {head: {a: 0.0 if a == best.get(head) else -5.0 for a in CONFIG.answers(head)} for head in HEADS}
    return Verdict(scores, {colour: np.array([area, 0.0]) for colour, area in areas.items()})


def case(said: tuple[str, ...] = ("family", "colour"), num_colours: int = 1, number: int = 0) -> Case:
    language = ("en", "zh")[number % 2]
    return Case(
        number, language, "short", 1, number, "a red ball", LABELS, frozenset(said), num_colours, CLIP
    )


def answer(
    number: int, real: dict[str, bool], painted: dict[str, bool] | None, family: str = "bounce"
) -> Answer:
    shown = None if painted is None else Score(painted, 0.5)
    seen = verdict({"family": family}, red=0.1)
    return Answer(case(number=number), Score(real, 1.0), shown, seen, seen, CLIP)


def line(table: list[Line], what: str) -> Line:
    return next(line for line in table if line.what == what)


def test_half_the_prompts_are_chinese_and_all_are_held_out(cases: list[Case]) -> None:
    assert [c.language for c in cases] == ["en", "zh", "en", "zh"]
    for c in cases:
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in c.prompt)
        assert chinese == (c.language == "zh"), c.prompt
        assert c.world_seed > SEED_BASE and c.real.shape == (9, 32, 32, 3) and "family" in c.said
    assert len({c.world_seed for c in cases}) == len({c.seed for c in cases}) == 4


@pytest.mark.parametrize("count", [1, 2, 3, 12, 13])
def test_every_family_is_asked_in_both_languages_equally(count: int) -> None:
    asked = [(number % count, language_of(number, count)) for number in range(4 * count)]
    assert all(asked.count((family, language)) == 2 for family in range(count) for language in ("en", "zh"))


def test_a_colour_is_right_among_as_many_as_there_are(judge: Judge) -> None:
    seen = verdict({"family": "bounce"}, red=0.1, blue=0.2)
    assert score(judge, seen, case()).right == {"family": True, "colour": False}
    assert score(judge, seen, case(num_colours=2)).right == {"family": True, "colour": True}
    assert score(judge, seen, case(("family",))).right == {"family": True}
    assert score(judge, seen, case()).visible == 0.5


def test_an_outcome_is_right_only_in_the_right_family(judge: Judge) -> None:
    said = ("family", "count", "camera", "outcome")
    best = {"family": "bounce", "count": "1", "camera": "pan_left", "outcome": "bounce: rolls_away"}
    right = score(judge, verdict(best, red=0.1), case(said)).right
    assert right == {"family": True, "count": True, "camera": False, "outcome": True}
    elsewhere = score(judge, verdict(best | {"family": "ramp"}, red=0.1), case(said)).right
    assert not elsewhere["family"] and not elsewhere["outcome"]


def test_rows_compare_with_real_renders_languages_and_new_compositions() -> None:
    right, wrong = {"family": True, "colour": True}, {"family": True, "colour": False}
    answers = [
        answer(0, right, right),
        answer(1, right, wrong),
        answer(2, wrong, right),
        answer(3, right, right),
    ] * 5
    table = lines(answers)
    assert line(table, "colour").model.value == 0.75 == line(table, "colour").real.value
    assert line(table, "colour").met and line(table, "family").wanted == "97% of real"
    assert (
        line(table, "English: colour").model.value == 1.0
        and line(table, "Chinese: colour").model.value == 0.5
    )
    assert line(table, "Chinese: colour").met is False and line(table, "Chinese: family").met is True
    assert not any("composition" in row.what for row in table)
    told = lines(answers, ("bounce red",))
    assert line(told, "never-seen compositions: colour").model.count == 20
    assert not any(row.what == "count" for row in told), "nothing said of counts: no row"
    few = lines(answers[:4])
    assert line(few, "colour").met is line(few, "Chinese: colour").met is None, "too few for a verdict"


def test_a_painter_of_the_real_takes_reaches_the_ceiling(cases: list[Case], judge: Judge) -> None:
    takes = {c.prompt: c.real for c in cases}
    result = run_prompts(SUITE, judge, lambda prompt, seed: takes[prompt], "perfect", quiet=True)
    assert all(row.model == row.real for row in result.lines)
    assert line(list(result.lines), "family").model.count == len(result.cases) == 4


def test_a_painter_of_nothing_shows_nothing(judge: Judge) -> None:
    result = run_prompts(
        SUITE, judge, lambda prompt, seed: np.full((9, 32, 32, 3), 110, np.uint8), quiet=True
    )
    table = list(result.lines)
    assert line(table, "main object visible").model.value == 0 and line(table, "colour").model.value == 0
    assert line(table, "main object visible").real.value > 0.3


def test_confusions_and_sheets_show_the_model_under_the_take() -> None:
    made = [answer(n, {"family": True}, {"family": False}, family="ramp") for n in range(2)]
    assert confusions(made) == {"bounce taken for ramp": 2}
    assert list(sheets(made)) == ["bounce"]
    assert sheets(made)["bounce"].shape[0] == 2 * sheets(made[:1])["bounce"].shape[0]


def test_the_command_judges_a_real_checkpoint_and_writes_its_report(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    torch.manual_seed(0)
    Judge(JudgeConfig(tuple(FAMILIES), channels=(8, 8, 16), hidden=16)).save(path, {})
    model, out = tiny.checkpoint(tmp_path / "debug"), tmp_path / "out"
    result, text = evaluate("prompts", str(model), output=out, takes=2, judge=path, quiet=True)
    table = {row["what"]: row for row in result["lines"]}
    assert table["family"]["model"]["count"] == table["family"]["real"]["count"] == 2
    assert result["settings"]["num_steps"] == 2 and len(result["settings"]["judge"]) == 12
    assert "Chinese: family" in table and "English: family" in text
    assert "seed 0" in " ".join(text.split())
    stored = json.loads((out / "prompts.json").read_text())
    assert [c["language"] for c in stored["cases"]] == ["en", "zh"] and stored["lines"] == json.loads(
        json.dumps(result["lines"])
    )
    assert (out / "prompts-basketball.png").stat().st_size > 0
    assert "<svg" in (out / "report.html").read_text()
    with pytest.raises(UsageError, match="exists already"):
        evaluate("prompts", str(model), output=out, takes=2, judge=path, quiet=True)


def test_wrong_usage_is_one_sentence(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no suite called 'beauty'; there are judge, autoencoder, prompts"):
        evaluate("beauty", output=tmp_path)
    with pytest.raises(UsageError, match="there is no judge at"):
        evaluate("prompts", "none", output=tmp_path, judge=tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match="not trained on stack"):
        run_prompts(PromptSuite(num=1, families=("stack",)), judge, None)
    for wrong in ({"num": 0}, {"seed": -1}, {"families": ("tea",)}, {"families": ()}):
        with pytest.raises(UsageError):
            PromptSuite(**wrong)
