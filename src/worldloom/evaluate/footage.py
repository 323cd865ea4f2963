"""What the suites on motion and distribution look at: held-out takes, and what the model paints from their captions.

Prompts and seeds are those of the *prompts* suite, so that clips painted for one suite serve the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.seed import derive_seed, numpy_generator
from worldloom.evaluate.prompts import FIRST_SEED, LENGTHS, SEEDS_PER_SUITE, language_of
from worldloom.evaluate.studio import Studio
from worldloom.evaluate.suite import check_seed
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import draw_look
from worldloom.worlds.render import render_take
from worldloom.worlds.take import Take

ORBITS = ("orbit_left", "orbit_right")
SECOND_SET = SEEDS_PER_SUITE // 2 // len(FAMILIES) * len(FAMILIES)
"""Case numbers from here on are a second set of takes, as good as the first and never painted."""


@dataclass(frozen=True)
class FootageSuite:
    """Which takes are looked at: `takes` of all families in turn, rendered and painted in one size and length."""

    takes: int = 96
    seed: int = 0
    width: int = 128
    height: int = 128
    num_frames: int = 33

    def __post_init__(self) -> None:
        if not 1 <= self.takes <= SECOND_SET:
            raise UsageError(f"the suite looks at 1 to {SECOND_SET} takes, not {self.takes}")
        check_seed(self.seed)
        if self.num_frames < 9:
            raise UsageError(f"motion takes at least 9 frames, not {self.num_frames}")


@dataclass(frozen=True)
class Piece:
    """One take with its masks, and the model's clip for its caption, uint8 [F, H, W, 3]; None with no model."""

    number: int
    prompt: str
    seed: int
    take: Take = field(repr=False)
    clip: np.ndarray | None = field(repr=False)

    @property
    def camera(self) -> str:
        return self.take.truth["look"]["camera_move"]

    def describe(self) -> dict[str, Any]:
        """Return what a result says of the piece, as plain values."""
        return {
            "number": self.number,
            "family": self.take.family,
            "world_seed": self.take.seed,
            "camera": self.camera,
            "prompt": self.prompt,
            "seed": self.seed,
        }


def world_of(suite: FootageSuite, number: int) -> tuple[str, int]:
    """Return family and world seed of take number `number`."""
    names = list(FAMILIES)
    return names[number % len(names)], FIRST_SEED + suite.seed * SEEDS_PER_SUITE + number


def render_piece(
    suite: FootageSuite, number: int, studio: Studio | None = None, masks: bool = True, again: int = 0
) -> Piece:
    """Render take `number`, and paint it where there is a model; `again` counts further clips of one prompt."""
    family, world_seed = world_of(suite, number)
    take = render_take(
        family, world_seed, width=suite.width, height=suite.height, num_frames=suite.num_frames,
        supersample=2, masks=masks, wordings=1,
    )  # fmt: skip
    length = str(numpy_generator("prompt suite", suite.seed, number).choice(LENGTHS))
    prompt = take.captions[language_of(number, len(FAMILIES))][length][0]
    seed = derive_seed("painted", suite.seed, number) % 2**31 + again
    clip = None if studio is None else paint(suite, prompt, seed, studio)
    return Piece(number, prompt, seed, take, clip)


def paint(suite: FootageSuite, prompt: str, seed: int, studio: Studio) -> np.ndarray:
    """Return the model's clip for a prompt, in the suite's size and length."""
    size = (suite.width, suite.height)
    return studio.paint("generate", prompt, num_frames=suite.num_frames, size=size, seed=seed)


def orbits(suite: FootageSuite, count: int) -> Iterator[int]:
    """Yield the numbers of `count` takes whose camera orbits, told from their looks before anything is rendered."""
    number = suite.takes
    while count:
        if draw_look(numpy_generator("look", *world_of(suite, number))).camera_move in ORBITS:
            yield number
            count -= 1
        number += 1
