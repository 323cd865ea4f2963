"""What `worldloom worlds list | render | dataset` do."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.file import check_target, whole_file, write_json
from worldloom.core.picture import write_picture
from worldloom.core.progress import progress
from worldloom.core.video_writer import VideoWriter
from worldloom.worlds.dataset import write_dataset
from worldloom.worlds.families import FAMILIES, check_families
from worldloom.worlds.look import CAMERA_MOVES, COLOURS, FLOORS, MATERIALS, MOODS
from worldloom.worlds.plan import DatasetPlan
from worldloom.worlds.recaption import recaption as rewrite_captions
from worldloom.worlds.render import render_take
from worldloom.worlds.stage import FPS

MAX_SIDE, MAX_SECONDS = 2048, 120


def list_families() -> dict[str, Any]:
    """Families with what they show, their parameters (of seed 0) and outcomes; and what looks are drawn from."""
    return {
        "families": {
            name: {
                "summary": family.summary,
                "outcomes": list(family.OUTCOMES),
                "events": list(family.EVENTS),
                "parameters": [
                    field.name for field in dataclasses.fields(family.draw(np.random.default_rng(0), 2.0))
                ],
            }
            for name, family in FAMILIES.items()
        },
        "looks": {
            "colours": list(COLOURS),
            "materials": list(MATERIALS),
            "floors": list(FLOORS),
            "moods": list(MOODS),
            "camera moves": list(CAMERA_MOVES),
        },
    }


def render(
    family: str,
    seed: int,
    output: Path,
    *,
    truth: Path | None = None,
    arrays: Path | None = None,
    width: int = 256,
    height: int = 256,
    seconds: float = 2.0,
    supersample: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Renders one take to an mp4 (or a picture, by suffix), its truth to JSON, masks and depth to `arrays` (.npz)."""
    check_families([family])
    if not (16 <= width <= MAX_SIDE and 16 <= height <= MAX_SIDE):
        raise UsageError(f"size {width}x{height} is outside 16x16 to {MAX_SIDE}x{MAX_SIDE}")
    if not 0 < seconds <= MAX_SECONDS:
        raise UsageError(f"{seconds} seconds is outside 0 to {MAX_SECONDS}")
    targets = [path for path in (output, truth, arrays) if path is not None]
    for path in targets:
        check_target(path, force)
    picture = output.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
    num_frames = 1 if picture else round(seconds * FPS) + 1
    with progress(1, f"rendering {family}", quiet, "take"):
        take = render_take(
            family,
            seed,
            width=width,
            height=height,
            num_frames=num_frames,
            supersample=supersample,
            masks=arrays is not None,
            depth=arrays is not None,
        )
    settings = {"world": family, "seed": seed, "caption": take.captions["en"]["dense"][0]}
    if picture:
        write_picture(output, take.frames[0], settings, force)
    else:
        with VideoWriter(output, width, height, Fraction(FPS), settings, force) as writer:
            writer.write(take.frames)
    if truth is not None:
        write_json(truth, {**take.truth, "captions": take.captions})
    if arrays is not None:
        assert take.masks is not None and take.depth is not None
        with whole_file(arrays, force) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, masks=take.masks, depth=take.depth)
    return {"files": [str(path) for path in targets], "frames": num_frames, "captions": take.captions}


def dataset(
    output: Path,
    takes: int,
    *,
    seed: int = 0,
    families: tuple[str, ...] | None = None,
    scale: int = 1,
    pictures: float = 0.12,
    long: float = 0.5,
    held_out: bool = True,
    workers: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Renders a training set; see `DatasetPlan` and `write_dataset`."""
    plan = DatasetPlan(takes, seed, families or tuple(FAMILIES), scale, pictures, long, held_out=held_out)
    return write_dataset(plan, output, workers=workers, quiet=quiet)


def recaption(folder: Path, wordings: int, *, quiet: bool = False) -> dict[str, Any]:
    """Captions a rendered dataset again from its truth; see `recaption.recaption`."""
    return rewrite_captions(folder, wordings, quiet=quiet)
