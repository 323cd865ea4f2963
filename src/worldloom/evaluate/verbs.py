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
from worldloom.evaluate.suite import Figure, Line, SuiteResult, Unit, median, share
from worldloom.evaluate.verb_cases import FIRST_SEED, MOST, VERBS, Case, Task, VerbSuite, make_case
from worldloom.generate.clip import Clip
from worldloom.worlds.stage import FPS

DIFFERENCE, BRIGHTNESS, IN_FILE, FIRST_FRAME = 1.5, 0.02, 40.0, 35.0  # the acceptance: x, share, dB, dB
OFTEN = 0.9
"""Share of seams that must be within `DIFFERENCE`."""
BLOCK = 4
"""Pixels along the side of the blocks in which motion is looked for: finer changes may be grain."""
CHANGED = 12.0
"""Levels of 255 by which a block's mean, or an edited region, must change to count as changed."""
MOVES = 0.01
"""Share of blocks that must change in the course of a clip that moves."""
SHOWN = 8  # cases on a sheet
PERFECT = 99.0  # dB of frames equal to the bit


SEAMED = ("extend forward", "extend backward", "loop", "connect")


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
                    if task.verb == "generate":
                        first = case.whole[:1]
                        row["model"]["first_frame"] = psnr(first, studio.reconstruct(first))
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
    figures: dict[str, Any] = {
        "kept": all(np.array_equal(frames[at : at + len(given)], given) for at, given in task.given),
        "in_file": _in_file(task, frames),
    }
    if task.region is not None:
        (_, source), region = task.given[0], task.region
        change = np.abs(frames.astype(np.int16) - source)
        figures |= {
            "kept": bool(np.array_equal(frames[~region], source[~region])),
            "inside_change": float(change[region].mean()),
            "rim": rim_contrast(frames, region),
        }
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
        path = Clip(frames, Fraction(FPS)).save(Path(folder) / "clip.mp4")
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

    def figure(
        summary: Callable[[list], Figure], name: str, verb: str | None, test: Callable | None = None
    ) -> dict:
        both = {}
        for who in ("model", "real"):
            values = [r[who].get(name) for r in rows if who in r and (verb is None or r["verb"] == verb)]
            flat = [
                v
                for value in values
                if value is not None
                for v in (value if isinstance(value, list) else [value])
            ]
            both[who] = summary([test(v) for v in flat] if test else flat)
        return both

    def line(what: str, figures: dict, unit: Unit, wanted: str = "", least: float | None = None) -> Line:
        value = figures["model"].value
        met = None if least is None or value is None else value >= least
        return Line(what, unit=unit, wanted=wanted, met=met, **figures)

    table = [
        line("given frames, outside of masks: to the bit", figure(share, "kept", None), "%", "all", 1.0),
        line(
            "  in the file, 40 dB or more",
            figure(share, "in_file", None, lambda v: v >= IN_FILE),
            "%",
            "all",
            1.0,
        ),
        line("  in the file", figure(median, "in_file", None), "dB"),
    ]
    for verb in SEAMED:
        table += [
            line(
                f"{verb}: seams within 1.5 x the median",
                figure(share, "difference", verb, lambda v: v <= DIFFERENCE), "%", "90 %", OFTEN,
            ),
            line("  change at the seam", figure(median, "difference", verb), "x"),
            line("  change of motion at the seam", figure(median, "jump", verb), "x"),
            line(
                "  brightness step within 2 %", figure(share, "brightness", verb, lambda v: v <= BRIGHTNESS),
                "%", "all", 1.0,
            ),
        ]  # fmt: skip
    image, edit = "image to video", "edit with mask"
    return (
        *table,
        line(f"{image}: first frame", figure(median, "first_frame", image), "dB", "35 dB", FIRST_FRAME),
        line("  the clip moves", figure(share, "moved", image, lambda v: v >= MOVES), "%", "all", 1.0),
        line("  blocks that change", figure(median, "moved", image), "%"),
        line(f"{edit}: outside to the bit", figure(share, "kept", edit), "%", "all", 1.0),
        line(
            "  inside changed",
            figure(share, "inside_change", edit, lambda v: v >= CHANGED / 4),
            "%",
            "all",
            1.0,
        ),
        line("  change inside", figure(median, "inside_change", edit), "levels"),
        line("  rim", figure(median, "rim", edit), "x"),
    )


def _describe(case: Case) -> dict[str, Any]:
    names = ("number", "family", "world_seed", "seed", "prompt", "generated")
    return {name: getattr(case, name) for name in names}


def _label(row: dict[str, Any]) -> str:
    given = "painted" if row["generated"] else "real"
    figures = {
        name: row["model"][name]
        for name in ("difference", "brightness", "moved", "inside_change", "rim")
        if row["model"].get(name) is not None
    }
    told = ", ".join(
        f"{n} {' '.join(f'{v:.3g}' for v in (value if isinstance(value, list) else [value]))}"
        for n, value in figures.items()
    )
    return f"#{row['number']} {row['family']}, {given}: {told}"
