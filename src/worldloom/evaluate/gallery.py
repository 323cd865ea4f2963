"""The *gallery* suite measures nothing: five prompts of every family, seeds 0 to 4, nothing picked, to be looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from worldloom.core.progress import progress
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.examples import SEED_BASE
from worldloom.evaluate.suite import SuiteResult
from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.stage import simulate

FIRST_SEED = SEED_BASE + 3 * 10**12
EACH = 5
LENGTHS = ("short", "short", "medium", "medium", "dense")
COLUMNS = 8
LETTERS = 170  # of a prompt above its row


def prompts_of(family: str, num_frames: int) -> list[str]:
    """Return the family's prompts: English captions of held-out takes, from a user's line to everything."""
    truths = [simulate(family, FIRST_SEED + n, num_frames=num_frames) for n in range(EACH)]
    return [caption_truth(truth, 1)["en"][LENGTHS[n]][0] for n, truth in enumerate(truths)]


def run_gallery(
    paint: Callable[[str, int], np.ndarray],
    model: str,
    num_frames: int,
    settings: dict[str, Any] | None = None,
    families: Sequence[str] = tuple(FAMILIES),
    quiet: bool = False,
) -> SuiteResult:
    """Paint every prompt with its number as the seed; one sheet per family."""
    start = time.monotonic()
    sheets, cases = {}, []
    with progress(EACH * len(families), "gallery", quiet, "clips") as bar:
        for family in families:
            prompts = prompts_of(family, num_frames)
            clips = []
            for seed, prompt in enumerate(prompts):
                clips.append(paint(prompt, seed))
                cases.append({"family": family, "prompt": prompt, "seed": seed})
                bar.advance()
            labels = [f"seed {seed}: {prompt}"[:LETTERS] for seed, prompt in enumerate(prompts)]
            sheets[family] = contact_sheet(clips, COLUMNS, labels)
    return SuiteResult(
        suite="gallery",
        model=model,
        lines=(),
        settings={"each": EACH, "seeds": f"0-{EACH - 1}", "num_frames": num_frames, **(settings or {})},
        notes=("captions of held-out takes in English; nothing is picked", *_told(cases)),
        sheets=sheets,
        cases=cases,
        seconds=time.monotonic() - start,
    )


def _told(cases: list[dict[str, Any]]) -> list[str]:
    return [f"{case['family']} {case['seed']}: {case['prompt']}" for case in cases]
