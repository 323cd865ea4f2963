"""The *prompts* suite: does a clip show what its prompt says?

Prompts are captions of held-out takes (world seeds no training set reaches), half of them Chinese. The takes
themselves are rendered and judged as well: that column is the ceiling, what a perfect model would score with
this judge. A clip is held only to what its prompt says (`labels.says`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import derive_seed, numpy_generator
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.examples import SEED_BASE, main_objects
from worldloom.evaluate.judge import Judge, Verdict
from worldloom.evaluate.judge_training import answers_of, outcomes_of
from worldloom.evaluate.labels import Labels, labels_of, says
from worldloom.evaluate.suite import Figure, Line, SuiteResult, check_seed, mean, share
from worldloom.worlds.families import FAMILIES, check_families
from worldloom.worlds.render import render_take

LANGUAGES = ("en", "zh")
LENGTHS = ("short", "medium", "dense")
FIRST_SEED = SEED_BASE + 10**12
"""World seeds of prompts; the judge's own examples lie below."""
SEEDS_PER_SUITE = 10**6
SHEET_COLUMNS = 6
QUESTIONS = ("family", "colour", "count", "material", "camera", "outcome")
OF_CEILING = {"family": 0.97, "colour": 0.95, "count": 0.85, "camera": 0.85, "outcome": 0.75}
"""Share of what real renders score that is wanted of a model."""
GAP = {"languages": 0.03, "compositions": 0.10}
"""By how much the second may fall short of the first: Chinese of English, never seen of seen."""
FEWEST = 10
"""Answers below which a row is not judged: two of two are no proof."""

Painter = Callable[[str, int], np.ndarray]
"""A prompt and a seed to a clip, uint8 [F, H, W, 3]."""


@dataclass(frozen=True)
class PromptSuite:
    """Which prompts are asked, and how large and long the real takes are rendered (as the model paints)."""

    num: int = 96
    seed: int = 0
    families: tuple[str, ...] = tuple(FAMILIES)
    width: int = 128
    height: int = 128
    num_frames: int = 33

    def __post_init__(self) -> None:
        if not 1 <= self.num <= SEEDS_PER_SUITE:
            raise UsageError(f"the suite asks 1 to {SEEDS_PER_SUITE} prompts, not {self.num}")
        check_seed(self.seed)
        check_families(self.families)


@dataclass(frozen=True)
class Case:
    """One prompt with what is true of its take, which of that it says, and the take (uint8 [F, H, W, 3])."""

    number: int
    language: str
    length: str
    world_seed: int
    seed: int
    prompt: str
    labels: Labels
    said: frozenset[str]
    num_colours: int
    """Distinct colours of the take's main objects."""
    real: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Score:
    """How one clip answers its prompt: right or wrong in every question that the prompt answers."""

    right: dict[str, bool]
    visible: float
    """Share of frames in which a main object is visible."""


@dataclass(frozen=True)
class Answer:
    """A case with the model's clip (None where no model was asked), and verdicts and scores of both."""

    case: Case
    real: Score
    painted: Score | None
    real_verdict: Verdict
    verdict: Verdict | None
    clip: np.ndarray | None = field(repr=False)


def language_of(number: int, families: int) -> str:
    """Return the language of a prompt: every second one, shifted so that each family is asked in both."""
    shift = number // families if families % 2 == 0 else 0
    return LANGUAGES[(number + shift) % 2]


def make_case(suite: PromptSuite, number: int) -> Case:
    """Return prompt number `number` of a suite, its take rendered."""
    count = len(suite.families)
    language = language_of(number, count)
    length = str(numpy_generator("prompt suite", suite.seed, number).choice(LENGTHS))
    world_seed = FIRST_SEED + suite.seed * SEEDS_PER_SUITE + number
    take = render_take(
        suite.families[number % count], world_seed, width=suite.width, height=suite.height,
        num_frames=suite.num_frames, supersample=2, wordings=1,
    )  # fmt: skip
    prompt, labels = take.captions[language][length][0], labels_of(take.truth)
    return Case(
        number=number,
        language=language,
        length=length,
        world_seed=world_seed,
        seed=derive_seed("painted", suite.seed, number) % 2**31,
        prompt=prompt,
        labels=labels,
        said=frozenset(says(prompt, language, length, labels)),
        num_colours=len(set(main_objects(take.truth).values())),
        real=take.frames,
    )


def score(judge: Judge, verdict: Verdict, case: Case) -> Score:
    """Return whether a verdict agrees with the prompt in what it says.

    The colour is right if it covers most of what the judge holds for main objects, or, where the take has several
    colours of them, if it is among as many. An outcome is right only in the right family.
    """
    labels = case.labels
    right = {
        question: verdict.best(question) == answer
        for question, answer in answers_of(labels).items()
        if question in case.said
    }
    if "colour" in case.said:
        right["colour"] = labels.colour in verdict.colours(case.num_colours)
    if "outcome" in case.said:
        best = verdict.best("outcome", outcomes_of(judge.config, labels.family))
        right["outcome"] = right["family"] and best == labels.outcome
    return Score(right, float(verdict.visible.mean()))


def run_prompts(
    suite: PromptSuite,
    judge: Judge,
    paint: Painter | None,
    model: str = "none",
    held_out: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    quiet: bool = False,
) -> SuiteResult:
    """Render and judge every case of a suite and, with a painter, what the painter makes of its prompt.

    `held_out` names the compositions ("bounce purple") that the model's training left out; none gives no such rows.
    """
    start = time.monotonic()
    answers = ask(suite, judge, paint, quiet)
    return SuiteResult(
        suite="prompts",
        model=model,
        lines=tuple(lines(answers, held_out)),
        settings={**asdict(suite), "families": len(suite.families), **(settings or {})},
        notes=(
            *notes,
            "of what a prompt says; shares: Wilson 95 % intervals; visible: mean share of frames, bootstrap over clips",
            *(f"{count} x {pair}" for pair, count in list(confusions(answers).items())[:3]),
        ),
        sheets=sheets(answers),
        cases=[describe(answer) for answer in answers],
        seconds=time.monotonic() - start,
    )


def ask(suite: PromptSuite, judge: Judge, paint: Painter | None, quiet: bool = False) -> list[Answer]:
    """Render, paint and judge every case."""
    missing = sorted(set(suite.families) - set(judge.config.families))
    if missing:
        raise UsageError(
            f"the judge was not trained on {', '.join(missing)}; train it again or leave them out"
        )
    answers = []
    with progress(suite.num, "prompts", quiet, "clips") as bar:
        for number in range(suite.num):
            case = make_case(suite, number)
            real = judge.judge(case.real)
            clip = None if paint is None else paint(case.prompt, case.seed)
            verdict = None if clip is None else judge.judge(clip)
            painted = None if verdict is None else score(judge, verdict, case)
            answers.append(Answer(case, score(judge, real, case), painted, real, verdict, clip))
            bar.advance()
    return answers


def lines(answers: Sequence[Answer], held_out: Sequence[str] = ()) -> list[Line]:
    """Return the rows: every question over all prompts, then by language, composition and family."""
    table = [_question(answers, question) for question in QUESTIONS]
    table.append(
        Line(
            "main object visible",
            mean([a.painted.visible for a in answers if a.painted is not None]),
            mean([a.real.visible for a in answers]),
            "%",
        )
    )
    english, chinese = ([a for a in answers if a.case.language == code] for code in LANGUAGES)
    table += _compared("English", english, "Chinese", chinese, GAP["languages"])
    if held_out:
        new = [a for a in answers if f"{a.case.labels.family} {a.case.labels.colour}" in held_out]
        seen = [a for a in answers if f"{a.case.labels.family} {a.case.labels.colour}" not in held_out]
        table += _compared("seen compositions", seen, "never-seen compositions", new, GAP["compositions"])
    for family in dict.fromkeys(a.case.labels.family for a in answers):
        own = [a for a in answers if a.case.labels.family == family]
        table += [_row(f"{family}: {question}", own, question) for question in QUESTIONS]
    return [line for line in table if line.model.count or line.real.count]


def _question(answers: Sequence[Answer], question: str) -> Line:
    line = _row(question, answers, question)
    wanted = OF_CEILING.get(question)
    if wanted is None or min(line.model.count, line.real.count) < FEWEST:
        return line
    assert line.model.value is not None and line.real.value is not None
    met = line.model.value >= wanted * line.real.value
    return Line(line.what, line.model, line.real, "%", f"{wanted:.0%} of real", met)


def _compared(
    first: str, ones: Sequence[Answer], second: str, others: Sequence[Answer], gap: float
) -> list[Line]:
    """Rows of two groups of prompts; the second is wanted not to fall short of the first by more than `gap`."""
    rows = []
    for question in QUESTIONS:
        one, other = (
            _row(f"{name}: {question}", group, question) for name, group in ((first, ones), (second, others))
        )
        rows.append(one)
        if min(one.model.count, other.model.count) < FEWEST:
            rows.append(other)
            continue
        assert one.model.value is not None and other.model.value is not None
        met = other.model.value >= one.model.value - gap
        rows.append(Line(other.what, other.model, other.real, "%", f"within {100 * gap:.0f} points", met))
    return rows


def _row(what: str, answers: Sequence[Answer], question: str) -> Line:
    return Line(
        what,
        _share([a.painted for a in answers if a.painted is not None], question),
        _share([a.real for a in answers], question),
        "%",
    )


def _share(scores: Sequence[Score], question: str) -> Figure:
    return share([s.right[question] for s in scores if question in s.right])


def confusions(answers: Sequence[Answer]) -> dict[str, int]:
    """Return how often a model's clip of one family was taken for another, the most frequent first."""
    pairs = Counter(
        f"{a.case.labels.family} taken for {a.verdict.family}"
        for a in answers
        if a.verdict is not None and a.verdict.family != a.case.labels.family
    )
    return dict(pairs.most_common())


def sheets(answers: Sequence[Answer]) -> dict[str, np.ndarray]:
    """Return one contact sheet per family, uint8 [H, W, 3]: each take, and under it the model's clip."""
    pictures = {}
    for family in sorted({a.case.labels.family for a in answers}):
        clips, labels = [], []
        for a in answers:
            if a.case.labels.family != family:
                continue
            clips.append(a.case.real)
            labels.append(
                f"#{a.case.number} real, {a.case.language} {a.case.length}, {_told(a.real_verdict)}"
            )
            if a.clip is not None and a.verdict is not None:
                clips.append(a.clip)
                labels.append(f"#{a.case.number} model, asked {a.case.labels.colour}, {_told(a.verdict)}")
        pictures[family] = contact_sheet(clips, SHEET_COLUMNS, labels)
    return pictures


def _told(verdict: Verdict) -> str:
    colours = " ".join(verdict.colours(3)) or "nothing"
    return f"judged {verdict.best('outcome')}, {colours}, {verdict.best('camera')}"


def describe(answer: Answer) -> dict[str, Any]:
    """Return a case as plain values: prompt, seeds, what was asked and what was seen."""
    case = answer.case
    entry: dict[str, Any] = {
        "number": case.number, "language": case.language, "length": case.length, "family": case.labels.family,
        "world_seed": case.world_seed, "seed": case.seed, "prompt": case.prompt,
        "labels": case.labels.plain(), "said": sorted(case.said),
        "real": _plain(answer.real, answer.real_verdict, case),
    }  # fmt: skip
    if answer.painted is not None and answer.verdict is not None:
        entry["model"] = _plain(answer.painted, answer.verdict, case)
    return entry


def _plain(result: Score, verdict: Verdict, case: Case) -> dict[str, Any]:
    return {
        "right": result.right,
        "visible": round(result.visible, 4),
        "colours": verdict.colours(case.num_colours),
        **{question: verdict.best(question) for question in verdict.scores},
    }
