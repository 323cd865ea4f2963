"""The *verbs* suite: every verb on held-out takes, measured where given footage meets new footage.

Half of the takes are given as rendered and half as the model paints them from the same captions. Real renders are
measured at the same joins and in the same masks: what a perfect continuation scores.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8

from worldloom.core.progress import progress
from worldloom.core.sheet import contact_sheet
from worldloom.core.video import read_video
from worldloom.evaluate.rim import rim_contrast
from worldloom.evaluate.seam import find_seams
from worldloom.evaluate.studio import NO_MODEL, Studio
from worldloom.evaluate.suite import Line, SuiteResult, Unit, median, share
from worldloom.evaluate.verb_cases import FIRST_SEED, MOST, VERBS, Case, Task, VerbSuite, make_case
from worldloom.generate.clip import Clip
from worldloom.worlds.stage import FPS

DIFFERENCE, BRIGHTNESS, IN_FILE, FIRST_FRAME = 1.5, 0.02, 40.0, 35.0  # the acceptance: x, share, dB, dB
OFTEN = 0.9
"""Share of seams that must be within `DIFFERENCE`."""
BLOCK = 4
"""Pixels along the side of the blocks in which motion is looked for: finer changes may be grain."""
CHANGED = 12.0
"""Levels of 255 by which a block's mean must change to count as changed."""
ALTERED = 3.0
"""Levels of 255 by which an edited region must differ from its source on average."""
MOVES = 0.01
"""Share of blocks that must change in the course of a clip that moves."""
SHOWN = 8  # cases on a sheet
PERFECT = 99.0  # dB of frames equal to the bit


ASKED = ("extend forward", "extend backward", "loop", "connect")
"""Verbs whose seams the acceptance names; those of the others are measured alike."""
SEAMED = (*ASKED, "recut", "storyboard")


def run_verbs(suite: VerbSuite, studio: Studio | None, *, quiet: bool = False) -> SuiteResult:
    """Run every verb on the suite's takes; with no studio, measure the real renders alone."""
    start = time.monotonic()
    rows: list[dict[str, Any]] = []
    strips: dict[str, list[tuple[str, np.ndarray]]] = {}
    with progress(suite.takes * len(VERBS), "verbs", quiet, "clips") as bar:
        for number in range(suite.takes):
            case = make_case(suite, number, studio)
            for verb, lay_out in VERBS.items():
                task = lay_out(case)
                row: dict[str, Any] = {"verb": verb, **_describe(case)}
                row["real"] = measure(task.in_truth(case.real), case.real[: task.num_frames])
                if studio is not None:
                    painted = studio.paint(task.verb, *task.sources, seed=case.seed, **task.how)
                    row["model"] = measure(task, painted)
                    if verb == "image to video":
                        first = case.whole[:1]
                        row["model"]["first_frame"] = psnr(first, studio.reconstruct(first))
                    if task.region is not None:
                        change = np.abs(painted.astype(np.int16) - task.given[0][1])
                        row["model"]["inside_change"] = float(change[task.region].mean())
                    strips.setdefault(verb, []).append((_label(row), painted))
                rows.append(row)
                bar.advance()
    return SuiteResult(
        suite="verbs",
        model=NO_MODEL if studio is None else studio.model,
        lines=lines(rows),
        settings={
            **asdict(suite),
            "first world seed": FIRST_SEED + suite.seed * MOST,
            **({} if studio is None else studio.settings),
        },
        notes=NOTES,
        sheets={
            verb.replace(" ", "-"): contact_sheet(
                [clip for _, clip in shown], 11, [text for text, _ in shown]
            )
            for verb, shown in ((verb, pairs[:SHOWN]) for verb, pairs in strips.items())
        },
        cases=rows,
        seconds=time.monotonic() - start,
    )


NOTES = (
    "half the takes are given as rendered, half as the model paints them; real renders: the takes at the same joins",
    "seam: change of the picture at the join over the clip's median change; motion: likewise of the optical flow",
    "brightness: change of the mean luma at the join beyond the clip's median one; file: mp4 as saved, all given frames",
    "moves: 1 % of 4 x 4 blocks change by 12 levels; rim: gradient on the mask's edge over that beside it",
    "shares: Wilson 95 % intervals; medians: bootstrap over clips or joins",
)


def measure(task: Task, frames: UInt8[np.ndarray, "F H W 3"]) -> dict[str, Any]:
    """Return the figures of one output as plain values; lists have an entry for each join."""
    if len(frames) != task.num_frames:
        raise ValueError(f"{task.verb} returned {len(frames)} frames, not {task.num_frames}")
    figures: dict[str, Any] = {}
    if task.given:
        outside = np.ones(frames.shape[:3], bool) if task.region is None else ~task.region
        pairs = [(frames[at : at + len(g)], g, outside[at : at + len(g)]) for at, g in task.given]
        figures["kept"] = all(np.array_equal(now[where], given[where]) for now, given, where in pairs)
        figures["in_file"] = _in_file(task, frames)
    if task.region is not None:
        figures["rim"] = rim_contrast(frames, task.region)
    if task.joins:
        seams = find_seams(frames, task.joins, task.loop)
        figures |= {
            name: [getattr(seam, name) for seam in seams] for name in ("difference", "jump", "brightness")
        }
    else:
        figures["moved"] = moved_share(frames)
    return figures


def _in_file(task: Task, frames: np.ndarray) -> float:
    """Return the PSNR of the given frames (of an edit, of the pixels outside its mask) in the saved file."""
    with tempfile.TemporaryDirectory() as folder:
        given = tuple(clip for _, clip in task.given)
        path = Clip(frames, Fraction(FPS), given=given).save(Path(folder) / "clip.mp4")
        saved = read_video(path).frames
    pairs = [(given, saved[at : at + len(given)]) for at, given in task.given]
    if task.region is not None:
        pairs = [(given[~task.region], read[~task.region]) for given, read in pairs]
    return psnr(*(np.concatenate([pair[side].reshape(-1) for pair in pairs]) for side in (0, 1)))


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the PSNR in dB of two arrays of levels of 255; of equal ones 99."""
    squares = np.mean((first.astype(np.float64) - second) ** 2)
    return PERFECT if squares == 0 else min(PERFECT, float(10 * np.log10(255**2 / squares)))


def moved_share(clip: UInt8[np.ndarray, "F H W 3"]) -> float:
    """Return the share of blocks of 4 x 4 pixels that differ from the first frame in some later one."""
    blocks = F.avg_pool2d(torch.from_numpy(clip).permute(0, 3, 1, 2).float(), BLOCK)
    changes = (blocks - blocks[:1]).abs().amax(dim=1)
    return float((changes > CHANGED).any(dim=0).float().mean())


def lines(rows: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
    """Return the table of all verbs' rows: acceptance lines 1 to 4 of the verbs."""

    def line(
        what: str,
        verb: str | None,
        name: str,
        unit: Unit,
        test: Callable[[float], bool] | None = None,
        wanted: str = "",
        least: float | None = None,
    ) -> Line:
        """The share of the values that pass a test, or their median."""
        figures = {}
        for who in ("model", "real"):
            chosen = [row[who] for row in rows if who in row and verb in (None, row["verb"])]
            values = [value for measured in chosen for value in _flat(measured.get(name))]
            figures[who] = share([test(value) for value in values]) if test else median(values)
        value = figures["model"].value
        met = None if least is None or value is None else value >= least
        return Line(what, figures["model"], figures["real"], unit, wanted, met)

    table = [
        line("given frames, outside of masks: to the bit", None, "kept", "%", bool, "all", 1.0),
        line("  in the file, 40 dB or more", None, "in_file", "%", lambda v: v >= IN_FILE, "all", 1.0),
        line("  in the file", None, "in_file", "dB"),
    ]
    for verb in SEAMED:
        often, always = (("90 %", OFTEN), ("all", 1.0)) if verb in ASKED else ((), ())
        table += [
            line(f"{verb}: seams within 1.5 x", verb, "difference", "%", lambda v: v <= DIFFERENCE, *often),
            line("  change at the seam", verb, "difference", "x"),
            line("  change of motion at the seam", verb, "jump", "x"),
            line("  brightness within 2 %", verb, "brightness", "%", lambda v: v <= BRIGHTNESS, *always),
        ]
    image, edit = "image to video", "edit with mask"
    return (
        *table,
        line(f"{image}: first frame", image, "first_frame", "dB", None, "35 dB", FIRST_FRAME),
        line("  the clip moves", image, "moved", "%", lambda v: v >= MOVES, "all", 1.0),
        line("  blocks that change", image, "moved", "%"),
        line(f"{edit}: outside to the bit", edit, "kept", "%", bool, "all", 1.0),
        line("  inside changed", edit, "inside_change", "%", lambda v: v >= ALTERED, "all", 1.0),
        line("  change inside", edit, "inside_change", "levels"),
        line("  rim", edit, "rim", "x"),
        line("remix: the clip moves", "remix", "moved", "%", lambda v: v >= MOVES),
        line("  blocks that change", "remix", "moved", "%"),
    )


def _flat(value: Any) -> list[Any]:
    """Return a figure's values: one for each join, one, or none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _describe(case: Case) -> dict[str, Any]:
    names = ("number", "family", "world_seed", "seed", "prompt", "generated")
    return {name: getattr(case, name) for name in names}


def _label(row: dict[str, Any]) -> str:
    told = [
        f"{name} {' '.join(f'{value:.3g}' for value in _flat(row['model'][name]))}"
        for name in ("difference", "brightness", "moved", "inside_change", "rim")
        if row["model"].get(name) is not None
    ]
    return f"#{row['number']} {row['family']}, {'painted' if row['generated'] else 'real'}: {', '.join(told)}"
