"""What every verb is asked on one held-out take: the footage given, the call, and where to look at its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.seed import derive_seed
from worldloom.evaluate.examples import SEED_BASE
from worldloom.evaluate.studio import Studio
from worldloom.evaluate.suite import check_seed
from worldloom.generate.board import Board, BoardCard
from worldloom.generate.clip import Clip
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS
from worldloom.worlds.plan import SIZES
from worldloom.worlds.render import render_take
from worldloom.worlds.stage import FPS
from worldloom.worlds.take import Take

FIRST_SEED = SEED_BASE + 2 * 10**12
"""World seeds of the verbs' takes; other suites' lie below."""
WHOLE = 33  # frames of a take
GIVEN = 17  # of them given to be extended, looped or edited
NEW = WHOLE - GIVEN  # frames that are painted beside them
ENDS = 12  # of them given at either end to be connected
MOST = 10**6


@dataclass(frozen=True)
class VerbSuite:
    """How many takes each verb is run on, and which; half of them are given as the model itself paints them."""

    takes: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.takes <= MOST:
            raise UsageError(f"a verb is run on 1 to {MOST} takes, not {self.takes}")
        check_seed(self.seed)


@dataclass(frozen=True)
class Case:
    """One take, and the footage that stands for it: the take itself, or what the model paints from its caption.

    `whole`, `real` and `other` are uint8 [33, H, W, 3]; `other` is of another family, in the same size.
    """

    number: int
    family: str
    world_seed: int
    seed: int
    prompt: str
    changed_prompt: str
    generated: bool
    whole: np.ndarray = field(repr=False)
    real: np.ndarray = field(repr=False)
    other: np.ndarray = field(repr=False)

    def clip(self, frames: np.ndarray) -> Clip:
        """Return frames of the case as a clip of ours, which knows its words."""
        return Clip(frames, Fraction(FPS), {"generator": "worldloom", "prompt": self.prompt})


@dataclass(frozen=True)
class Task:
    """What a verb is asked on a case, and where its output is to be looked at.

    `verb` of `Pipeline` is called with `sources` and `how` and returns `num_frames` frames. `joins` are the first frames after each join; `given` holds
    (first frame, frames) of what must stay; `region` is bool [F, H, W], where an edit may change its source; `loop`:
    shown in a circle.
    """

    verb: str
    sources: tuple[Any, ...]
    how: dict[str, Any]
    num_frames: int
    given: tuple[tuple[int, np.ndarray], ...] = ()
    joins: tuple[int, ...] = ()
    region: np.ndarray | None = None
    loop: bool = False

    def in_truth(self, real: np.ndarray) -> Task:
        """Return the task as the take itself solves it, to be measured in the model's place.

        A take is no circle: the turn of a loop is looked for in the middle of what was given.
        """
        joins = tuple(frame or GIVEN // 2 for frame in self.joins)
        given = tuple((start, real[start : start + len(frames)]) for start, frames in self.given)
        return replace(self, given=given, joins=joins, loop=False)


def make_case(suite: VerbSuite, number: int, studio: Studio | None) -> Case:
    """Return case `number` of a suite; every second one is given as the model paints it, where there is a model."""
    names = list(FAMILIES)
    sizes = (
        list(SIZES) if studio is None else [(size.width, size.height) for size in studio.card.trained_sizes]
    )
    # Pairs of a real and a generated case go through families and sizes together.
    pair = number // 2
    family, size = names[pair % len(names)], sizes[pair % len(sizes)]
    world_seed = FIRST_SEED + suite.seed * MOST + number
    seed = derive_seed("verb", suite.seed, number) % 2**31
    take = _render(family, world_seed, size, wordings=1)
    prompt, colour = take.captions["en"]["medium"][0], take.truth["objects"][0]["colour"]
    generated = studio is not None and number % 2 == 1
    whole = take.frames
    if studio is not None and generated:
        whole = studio.paint("generate", prompt, num_frames=WHOLE, size=size, seed=seed)
    other = _render(names[(pair + 5) % len(names)], world_seed + MOST // 2, size, wordings=0).frames
    changed = prompt.replace(colour, _another(colour))
    return Case(
        number, family, world_seed, seed, prompt, changed, generated, whole=whole, real=take.frames, other=other
    )  # fmt: skip


def _render(family: str, seed: int, size: tuple[int, int], wordings: int) -> Take:
    return render_take(
        family, seed, width=size[0], height=size[1], num_frames=WHOLE, supersample=2, wordings=wordings
    )


def _another(colour: str) -> str:
    names = list(COLOURS)
    return names[(names.index(colour) + 5) % len(names)]


def _image(case: Case) -> Task:
    first = case.whole[0]
    how = {"image": first, "num_frames": GIVEN, "size": (first.shape[1], first.shape[0])}
    return Task("generate", (case.prompt,), how, GIVEN, ((0, first[None]),))


def _forward(case: Case) -> Task:
    given = case.whole[:GIVEN]
    return Task("extend", (case.clip(given),), {"num_frames": NEW}, WHOLE, ((0, given),), (GIVEN,))


def _backward(case: Case) -> Task:
    given = case.whole[NEW:]
    how = {"num_frames": NEW, "backward": True}
    return Task("extend", (case.clip(given),), how, WHOLE, ((NEW, given),), (NEW,))


def _loop(case: Case) -> Task:
    given = case.whole[:GIVEN]
    how = {"num_frames": NEW}
    return Task("loop", (case.clip(given),), how, WHOLE, ((0, given),), (0, GIVEN), loop=True)


def _connect(case: Case) -> Task:
    """Two pieces of one take or, in every second pair of cases, of two takes."""
    first = case.whole[:ENDS]
    second = (case.other if case.number // 2 % 2 else case.whole)[-ENDS:]
    back = WHOLE - ENDS
    how = {"num_frames": back - ENDS}
    given = (0, first), (back, second)
    return Task("connect", (case.clip(first), case.clip(second)), how, WHOLE, given, (ENDS, back))


def _recut(case: Case) -> Task:
    """Two stretches of half a second stay where they are; what is before, between and after them is new."""
    kept = (4, 12), (20, 28)
    how = {"keep": [(first / FPS, end / FPS) for first, end in kept]}
    given = tuple((first, case.whole[first:end]) for first, end in kept)
    return Task(
        "recut", (case.clip(case.whole),), how, WHOLE, given, tuple(at for pair in kept for at in pair)
    )


def _storyboard(case: Case) -> Task:
    """Words, then a clip after half a second, then a picture at the end of two."""
    clip, picture = case.whole[8:20], case.whole[-1]
    cards = [
        BoardCard(0.0, text=case.prompt),
        BoardCard(8 / FPS, clip=case.clip(clip)),
        BoardCard((WHOLE - 1) / FPS, picture=picture),
    ]
    given = (8, clip), (WHOLE - 1, picture[None])
    return Task("storyboard", (Board(cards, WHOLE / FPS),), {}, WHOLE, given, (8, 20, WHOLE - 1))


def _edit(case: Case) -> Task:
    """A box in the middle that stands still or, in every second pair of cases, moves to the right."""
    source = case.whole[:GIVEN]
    height, width = source.shape[1:3]
    moving = case.number // 2 % 2 == 1
    mask = np.zeros((GIVEN if moving else 1, height, width, 3), np.uint8)
    for frame, picture in enumerate(mask):
        left = 0.1 + 0.45 * frame / (GIVEN - 1) if moving else 0.275
        columns = slice(round(left * width), round((left + 0.45) * width))
        picture[round(0.3 * height) : round(0.85 * height), columns] = 255
    how = {"mask": Clip(mask, Fraction(FPS))}
    region = np.broadcast_to(mask[..., 0] > 0, source.shape[:3])
    return Task("edit", (case.clip(source), case.changed_prompt), how, GIVEN, ((0, source),), region=region)


def _remix(case: Case) -> Task:
    return Task("remix", (case.clip(case.whole[:GIVEN]), case.changed_prompt), {}, GIVEN)


VERBS: dict[str, Callable[[Case], Task]] = {
    "image to video": _image,
    "extend forward": _forward,
    "extend backward": _backward,
    "loop": _loop,
    "connect": _connect,
    "recut": _recut,
    "storyboard": _storyboard,
    "edit with mask": _edit,
    "remix": _remix,
}
