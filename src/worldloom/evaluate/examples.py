"""What the judge learns from: nine frames of rendered takes, what is true of them, and where which object is."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from worldloom.core.error import UsageError
from worldloom.core.file import whole_file
from worldloom.core.progress import progress
from worldloom.core.seed import numpy_generator
from worldloom.data.dataset import ClipDataset
from worldloom.data.manifest import Manifest
from worldloom.evaluate.judge import CELL, LOOKS, looks_of
from worldloom.evaluate.labels import Labels, labels_of
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS
from worldloom.worlds.plan import LONG, SHORT, SIZES
from worldloom.worlds.render import film
from worldloom.worlds.stage import set_stage

LONG_SHARE = 0.7
"""Share of examples two seconds long; the others last one."""
MIN_PIXELS = 3  # of a cell's 16
MAIN = 32
"""Added to the class of a cell that shows a main object."""
SEED_BASE = 1 << 62
"""World seeds of everything that is evaluated begin here; training sets count up from far below."""


@dataclass(frozen=True)
class Example:
    """`frames` uint8 [F, H, W, 3], evenly spaced over a take.

    `classes` uint8 [F, h, w] of cells of 4 x 4 pixels: 0 is background, 1 + index the colour of any object, and with
    `MAIN` added that of a main object; None for clips that were rendered without masks.
    """

    labels: Labels
    frames: np.ndarray
    classes: np.ndarray | None


def main_objects(truth: dict[str, Any]) -> dict[int, str]:
    """Return mask value and colour of every object with the noun of the first one."""
    noun = truth["objects"][0]["noun"]
    return {i: thing["colour"] for i, thing in enumerate(truth["objects"], 1) if thing["noun"] == noun}


def class_map(masks: UInt8[np.ndarray, "F H W"], truth: dict[str, Any]) -> UInt8[np.ndarray, "F h w"]:
    """Return the judge's classes: a cell shows an object where at least `MIN_PIXELS` of its pixels do.

    Where several do it is the class with most of them.
    """
    colours, mains = list(COLOURS), main_objects(truth)
    frames, height, width = masks.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    counts = np.zeros((2 * MAIN, frames, rows, columns), np.uint8)
    for value, thing in enumerate(truth["objects"], 1):
        hits = np.pad(masks == value, ((0, 0), (0, -height % CELL), (0, -width % CELL)))
        counts[1 + colours.index(thing["colour"]) + MAIN * (value in mains)] += hits.reshape(
            frames, rows, CELL, columns, CELL
        ).sum((2, 4), dtype=np.uint8)
    return np.where(counts.sum(0) >= MIN_PIXELS, counts.argmax(0), 0).astype(np.uint8)


def render_example(job: tuple[str, int]) -> Example:
    """Render the example of one (family, seed) at a size and length drawn as training sets draw theirs."""
    family, seed = job
    rng = numpy_generator("judge", seed)
    sizes = list(SIZES)
    width, height = sizes[int(rng.choice(len(sizes), p=list(SIZES.values())))]
    num_frames = LONG if rng.random() < LONG_SHARE else SHORT
    stage = set_stage(family, seed, width=width, height=height, num_frames=num_frames, supersample=2)
    shot = film(stage, width, height, supersample=2, masks=True, every=(num_frames - 1) // (LOOKS - 1))
    truth = stage.truth()
    assert shot.masks is not None
    return Example(labels_of(truth), shot.frames, class_map(shot.masks, truth))


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


def dataset_examples(folders: Sequence[Path], quiet: bool = False) -> list[Example]:
    """Return an example of every clip in training sets: their truth says all but where things are."""
    clips = ClipDataset(Manifest.load(folders))
    numbers = [number for number, sample in enumerate(clips.samples) if not sample.picture]
    examples = []
    with progress(len(numbers), "reading for the judge", quiet, "takes") as bar:
        for number in numbers:
            frames = clips.frames(number)
            labels = labels_of(clips.meta(number)["truth"])
            examples.append(Example(labels, frames[looks_of(len(frames))], None))
            bar.advance()
    clips.close()
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
    arrays: dict[str, Any] = {"labels": np.array(json.dumps([item.labels.plain() for item in examples]))}
    for index, item in enumerate(examples):
        arrays[f"frames_{index}"] = item.frames
        if item.classes is not None:
            arrays[f"classes_{index}"] = item.classes
    with whole_file(path, force=True) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def load_examples(path: Path) -> list[Example]:
    """Read what `save_examples` wrote."""
    with np.load(path, allow_pickle=False) as file:
        if file["labels"].ndim:
            raise UsageError(f"{path} holds examples of an older kind; remove it to render them again")
        labels = [Labels(**entry) for entry in json.loads(str(file["labels"]))]
        return [
            Example(
                item,
                file[f"frames_{index}"],
                file.get(f"classes_{index}"),
            )
            for index, item in enumerate(labels)
        ]
