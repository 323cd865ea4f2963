"""The *prompts* suite: does a clip show what its prompt says?

Prompts are captions of held-out takes (world seeds no training set reaches), half of them Chinese. The takes
themselves are rendered and judged as well: that row is the ceiling, what a perfect model would score with
this judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import derive_seed, numpy_generator
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.examples import SEED_BASE, main_objects
from worldloom.evaluate.interval import bootstrap_mean, wilson
from worldloom.evaluate.judge import Judge, Verdict
from worldloom.worlds.caption.chinese import COLOURS as CHINESE_COLOURS
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.render import render_take

LANGUAGES = ("en", "zh")
LENGTHS = ("short", "medium", "dense")
FIRST_SEED = SEED_BASE + 10**12
"""World seeds of prompts; the judge's own examples lie below."""
SEEDS_PER_SUITE = 10**6
SHEET_COLUMNS = 6

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
        if not 0 <= self.seed < 1000:
            raise UsageError(f"the suite's seed is from 0 to 999, not {self.seed}")
        unknown = sorted(set(self.families) - set(FAMILIES))
        if unknown or not self.families:
            raise UsageError(f"unknown world families {unknown}; there are {', '.join(FAMILIES)}")


@dataclass(frozen=True)
class Case:
    """One prompt with what is true of it, and the take it describes (uint8 [F, H, W, 3])."""

    number: int
    language: str
    length: str
    family: str
    world_seed: int
    prompt: str
    colour: str | None
    """Colour of the main object; None where the prompt does not say it."""
    num_colours: int
    """Distinct colours of the take's main objects."""
    real: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Score:
    """How one clip answers its prompt."""

    family: bool
    colour: bool | None
    visible: float
    """Share of frames in which a main object is visible."""


def language_of(number: int, families: int) -> str:
    """Return the language of a prompt: every second one, shifted so that each family is asked in both."""
    shift = number // families if families % 2 == 0 else 0
    return LANGUAGES[(number + shift) % 2]


def make_case(suite: PromptSuite, number: int) -> Case:
    """Return prompt number `number` of a suite, its take rendered."""
    count = len(suite.families)
    family = suite.families[number % count]
    language = language_of(number, count)
    rng = numpy_generator("prompt suite", suite.seed, number)
    length = str(rng.choice(LENGTHS))
    world_seed = FIRST_SEED + suite.seed * SEEDS_PER_SUITE + number
    take = render_take(
        family, world_seed, width=suite.width, height=suite.height, num_frames=suite.num_frames,
        supersample=2, wordings=1,
    )  # fmt: skip
    prompt = take.captions[language][length][0]
    colours = main_objects(take.truth)
    colour = take.truth["objects"][0]["colour"]
    return Case(
        number=number,
        language=language,
        length=length,
        family=family,
        world_seed=world_seed,
        prompt=prompt,
        colour=colour if names_colour(prompt, colour, language) else None,
        num_colours=len(set(colours.values())),
        real=take.frames,
    )


def names_colour(prompt: str, colour: str, language: str) -> bool:
    """Whether a prompt says the colour; in Chinese by its first character, as "红球" says red without "色"."""
    return (CHINESE_COLOURS[colour][0] if language == "zh" else colour) in prompt.lower()


def score(verdict: Verdict, case: Case) -> Score:
    """Return whether a verdict agrees with the prompt.

    The colour is right if it covers most of what the judge holds for main objects, or, where the take has several
    colours of them, if it is among as many.
    """
    colour = None if case.colour is None else case.colour in verdict.colours(case.num_colours)
    return Score(verdict.family == case.family, colour, float(verdict.visible.mean()))


@dataclass(frozen=True)
class Answer:
    """A case with the model's clip (None where no model was asked) and the scores of both."""

    case: Case
    seed: int
    real: Score
    painted: Score | None
    real_verdict: Verdict
    verdict: Verdict | None
    clip: np.ndarray | None = field(repr=False)


def run_prompts(suite: PromptSuite, judge: Judge, paint: Painter | None, quiet: bool = False) -> list[Answer]:
    """Render and judge every case of a suite and, with a painter, what the painter makes of its prompt."""
    missing = sorted(set(suite.families) - set(judge.config.families))
    if missing:
        raise UsageError(
            f"the judge was not trained on {', '.join(missing)}; train it again or leave them out"
        )
    answers = []
    with progress(suite.num, "prompts", quiet, "clips") as bar:
        for number in range(suite.num):
            case = make_case(suite, number)
            real_verdict = judge.judge(case.real)
            seed = derive_seed("painted", suite.seed, number) % 2**31
            clip = None if paint is None else paint(case.prompt, seed)
            verdict = None if clip is None else judge.judge(clip)
            painted = None if verdict is None else score(verdict, case)
            answers.append(
                Answer(case, seed, score(real_verdict, case), painted, real_verdict, verdict, clip)
            )
            bar.advance()
    return answers


def row(scores: Sequence[Score]) -> dict[str, object]:
    """Return the figures of one row: shares with counts and 95 % intervals."""
    asked = [s.colour for s in scores if s.colour is not None]
    shares = [s.visible for s in scores]
    return {
        "clips": len(scores),
        "family": _share([s.family for s in scores]),
        "colour": _share(asked),
        "visible": {
            "share": round(float(np.mean(shares)), 4) if shares else None,
            "interval": [round(value, 4) for value in bootstrap_mean(shares)],
        },
    }


def _share(answers: Sequence[bool]) -> dict[str, object]:
    low, high = wilson(sum(answers), len(answers))
    return {
        "right": sum(answers),
        "of": len(answers),
        "share": round(sum(answers) / len(answers), 4) if answers else None,
        "interval": [round(low, 4), round(high, 4)],
    }


def rows(answers: Sequence[Answer]) -> dict[str, dict[str, object]]:
    """Return the table: real renders and the model, over all prompts, by language, length and family."""
    table = {}
    for who in ("real", "model"):
        pairs = [(a.case, a.real if who == "real" else a.painted) for a in answers]
        done = [(case, s) for case, s in pairs if s is not None]
        if not done:
            continue
        table[who] = row([s for _, s in done])
        for name in ("language", "length", "family"):
            ordered = sorted(done, key=lambda pair: getattr(pair[0], name))
            for value, group in groupby(ordered, key=lambda pair: getattr(pair[0], name)):
                table[f"{who}, {value}"] = row([s for _, s in group])
    return table


def confusions(answers: Sequence[Answer]) -> dict[str, int]:
    """Return how often a model's clip of one family was taken for another, the most frequent first."""
    pairs = Counter(
        f"{a.case.family} taken for {a.verdict.family}"
        for a in answers
        if a.verdict is not None and a.verdict.family != a.case.family
    )
    return dict(pairs.most_common())


def sheets(answers: Sequence[Answer]) -> dict[str, np.ndarray]:
    """Return one contact sheet per family, uint8 [H, W, 3]: each take, and under it the model's clip."""
    pictures = {}
    for family in sorted({a.case.family for a in answers}):
        clips, labels = [], []
        for a in answers:
            if a.case.family != family:
                continue
            clips.append(a.case.real)
            labels.append(
                f"#{a.case.number} real, {a.case.language} {a.case.length}, {_told(a.real_verdict)}"
            )
            if a.clip is not None and a.verdict is not None:
                clips.append(a.clip)
                labels.append(f"#{a.case.number} model, asked {a.case.colour}, {_told(a.verdict)}")
        pictures[family] = contact_sheet(clips, SHEET_COLUMNS, labels)
    return pictures


def _told(verdict: Verdict) -> str:
    colours = " ".join(verdict.colours(3)) or "nothing"
    return f"judged {verdict.family}, {colours}, visible {verdict.visible.mean():.0%}"


def describe(answers: Sequence[Answer]) -> list[dict[str, object]]:
    """Return every case as plain values: prompt, seeds, what was asked and what was seen."""
    cases: list[dict[str, object]] = []
    for a in answers:
        entry: dict[str, object] = {
            "number": a.case.number,
            "language": a.case.language,
            "length": a.case.length,
            "family": a.case.family,
            "colour": a.case.colour,
            "world_seed": a.case.world_seed,
            "seed": a.seed,
            "prompt": a.case.prompt,
            "real": _plain(a.real, a.real_verdict, a.case),
        }
        if a.painted is not None and a.verdict is not None:
            entry["model"] = _plain(a.painted, a.verdict, a.case)
        cases.append(entry)
    return cases


def _plain(result: Score, verdict: Verdict, case: Case) -> dict[str, object]:
    return {
        "family": verdict.family,
        "colours": verdict.colours(case.num_colours),
        "visible": round(result.visible, 4),
        "family_right": result.family,
        "colour_right": result.colour,
    }
