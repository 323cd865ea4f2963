"""What the judge learns from: a few frames of rendered takes, with the main objects' masks by colour."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from worldloom.core.file import whole_file
from worldloom.core.progress import progress
from worldloom.core.seed import numpy_generator
from worldloom.evaluate.judge import CELL
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS
from worldloom.worlds.plan import SIZES
from worldloom.worlds.render import render_take
from worldloom.worlds.take import Take

FRAMES, FPS = 5, 4  # one second at a quarter of the rate: the same scenes, for a fraction of the rendering
MIN_PIXELS = 3  # of a cell's 16
SEED_BASE = 1 << 62
"""World seeds of everything that is evaluated begin here; training sets count up from far below."""


@dataclass(frozen=True)
class Example:
    """`frames` uint8 [F, H, W, 3]; `classes` uint8 [F, h, w] of cells of 4 x 4 pixels: 0, or 1 + index of the colour."""

    family: str
    colour: str
    frames: np.ndarray
    classes: np.ndarray


def main_objects(truth: dict[str, Any]) -> dict[int, str]:
    """Return mask value and colour of every object with the noun of the first one."""
    noun = truth["objects"][0]["noun"]
    return {i: thing["colour"] for i, thing in enumerate(truth["objects"], 1) if thing["noun"] == noun}


def class_map(masks: UInt8[np.ndarray, "F H W"], truth: dict[str, Any]) -> UInt8[np.ndarray, "F h w"]:
    """Return the judge's classes: a cell is a main object where at least `MIN_PIXELS` of its pixels are.

    Its colour is then the one with most of them.
    """
    colours = list(COLOURS)
    frames, height, width = masks.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    counts = np.zeros((1 + len(colours), frames, rows, columns), np.uint8)
    for value, colour in main_objects(truth).items():
        hits = np.pad(masks == value, ((0, 0), (0, -height % CELL), (0, -width % CELL)))
        counts[1 + colours.index(colour)] += hits.reshape(frames, rows, CELL, columns, CELL).sum(
            (2, 4), dtype=np.uint8
        )
    return np.where(counts.sum(0) >= MIN_PIXELS, counts.argmax(0), 0).astype(np.uint8)


def example(take: Take) -> Example:
    """Return what the judge learns from a take rendered with masks."""
    if take.masks is None:
        raise ValueError("the take was rendered without masks")
    colour = take.truth["objects"][0]["colour"]
    return Example(take.family, colour, take.frames, class_map(take.masks, take.truth))


def render_example(job: tuple[str, int]) -> Example:
    """Render the example of one (family, seed) at a size drawn as training sets draw theirs."""
    family, seed = job
    sizes = list(SIZES)
    width, height = sizes[int(numpy_generator("judge", seed).choice(len(sizes), p=list(SIZES.values())))]
    take = render_take(
        family, seed, width=width, height=height, num_frames=FRAMES, fps=FPS,
        supersample=2, masks=True, wordings=0,
    )  # fmt: skip
    return example(take)


def render_examples(
    count: int,
    first_seed: int,
    families: Sequence[str] = tuple(FAMILIES),
    workers: int = 1,
    quiet: bool = False,
) -> list[Example]:
    """Render `count` examples, the families in turn, from world seeds `first_seed` onwards."""
    jobs = [(families[index % len(families)], first_seed + index) for index in range(count)]
    with progress(count, "rendering for the judge", quiet, "takes") as bar:
        examples = []
        for item in _map(jobs, workers):
            examples.append(item)
            bar.advance()
    return examples


def _map(jobs: list[tuple[str, int]], workers: int) -> Iterator[Example]:
    if workers == 1:
        yield from map(render_example, jobs)
        return
    # A forked OpenGL context does not work.
    with multiprocessing.get_context("spawn").Pool(min(workers, os.cpu_count() or 1)) as pool:
        yield from pool.imap(render_example, jobs, chunksize=4)


def save_examples(examples: Sequence[Example], path: Path) -> None:
    """Keep rendered examples for another training run, in one .npz file."""
    arrays: dict[str, Any] = {"labels": np.array([[e.family, e.colour] for e in examples])}
    for index, item in enumerate(examples):
        arrays[f"frames_{index}"], arrays[f"classes_{index}"] = item.frames, item.classes
    with whole_file(path, force=True) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def load_examples(path: Path) -> list[Example]:
    """Read what `save_examples` wrote."""
    with np.load(path, allow_pickle=False) as file:
        labels = file["labels"]
        return [
            Example(str(family), str(colour), file[f"frames_{index}"], file[f"classes_{index}"])
            for index, (family, colour) in enumerate(labels)
        ]
