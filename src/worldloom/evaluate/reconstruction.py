"""How well an autoencoder keeps held-out takes: PSNR overall and inside moving objects, and whether small balls stay.

Takes are rendered on the spot from seeds no training set uses, so the figures need no files but the weights.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from worldloom.core.progress import progress
from worldloom.evaluate.examples import SEED_BASE
from worldloom.evaluate.suite import Figure, Line, SuiteResult, share
from worldloom.vae.autoencoder import Autoencoder
from worldloom.vae.feedback import encode_closely
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.plan import SIZES
from worldloom.worlds.render import render_take
from worldloom.worlds.take import Take

FRAMES = 17
IN_ONE_PASS = "all, in one pass"
WANTED = {"psnr": 36.0, "psnr_moving": 31.0}  # dB
STILL = 0.004  # mean change of a pixel's value (of 1) between frames below which a masked object counts as resting
SMALL = (6.0, 10.0)  # diameters in pixels of objects counted as small balls


@dataclass
class Tally:
    """Squared error over pixels of one kind, summed over takes; values in [0, 1]."""

    squares: float = 0.0
    count: int = 0

    def add(self, difference: np.ndarray) -> None:
        self.squares += float((difference.astype(np.float64) ** 2).sum())
        self.count += difference.size

    @property
    def psnr(self) -> float | None:
        if not self.count:
            return None
        return 10 * math.log10(self.count / max(self.squares, 1e-12))


@dataclass
class Figures:
    """What one family, or all, came to; `kept` holds contrast of each small ball against its surroundings."""

    takes: int = 0
    overall: Tally = field(default_factory=Tally)
    moving: Tally = field(default_factory=Tally)
    kept: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            "takes": self.takes,
            "psnr": _rounded(self.overall.psnr),
            "psnr_moving": _rounded(self.moving.psnr),
            "small_balls": len(self.kept),
            "small_balls_contrast": _rounded(float(np.median(self.kept)) if self.kept else None),
            "small_balls_kept": sum(contrast > 0.5 for contrast in self.kept),
        }


def run_reconstruction(
    vae: Autoencoder, model: str, takes: int = 200, passes: int = 1, *, quiet: bool = False
) -> SuiteResult:
    """Return `evaluate_reconstruction` as a suite's result: dB overall, dB in what moves, small balls kept."""
    start = time.monotonic()
    rows = evaluate_reconstruction(vae, takes, passes, quiet=quiet)
    lines = []
    wholes = [name for name in ("all", IN_ONE_PASS) if name in rows]
    for name in [*wholes, *sorted(set(rows) - {*wholes})]:
        for key, what in (("psnr", "PSNR"), ("psnr_moving", "PSNR of moving objects")):
            value, wanted = rows[name][key], WANTED[key] if name == "all" else None
            met = None if wanted is None or value is None else value >= wanted
            figure = Figure(value, None, rows[name]["takes"])
            lines.append(
                Line(
                    f"{name}: {what}",
                    figure,
                    unit="dB",
                    wanted="" if wanted is None else f"{wanted} dB",
                    met=met,
                )
            )
        kept = rows[name]["small_balls_kept"]
        lines.append(
            Line(
                f"{name}: small balls kept",
                share([i < kept for i in range(rows[name]["small_balls"])]),
                unit="%",
            )
        )
    return SuiteResult(
        suite="autoencoder",
        model=model,
        lines=tuple(lines),
        settings={"takes": takes, "passes": passes, "first_seed": SEED_BASE, "num_frames": FRAMES},
        notes=(
            "PSNR from the squared error over all pixels; moving: inside masks of things that move",
            "small balls: 6 to 10 pixels wide, kept: more than half the contrast against their surroundings",
        ),
        cases=[{"family": name, **row} for name, row in rows.items()],
        seconds=time.monotonic() - start,
    )


@torch.no_grad()
def evaluate_reconstruction(
    vae: Autoencoder, takes: int = 200, passes: int = 1, *, quiet: bool = False
) -> dict[str, Any]:
    """Encodes in `passes` and decodes `takes` held-out takes of all families in turn; returns rows by family and of all.

    Where passes are several, a row more says what one pass gives.
    PSNR is over all takes' pixels together (from the mean squared error), in dB of a range of 1. A moving object is
    an instance mask of a thing that changes where it is between frames. A small ball is a sphere 6 to 10 pixels wide;
    its contrast is 1 when it stands out from its surroundings as in the source and 0 when it has vanished.
    """
    device, dtype = next(vae.parameters()).device, next(vae.parameters()).dtype
    rows: dict[str, Figures] = defaultdict(Figures)
    with progress(takes, "reconstructing", quiet, "takes") as bar:
        for take in held_out(takes):
            source = torch.from_numpy(take.frames).permute(3, 0, 1, 2)[None].to(device, dtype) / 127.5 - 1
            picture = _picture(vae.decode(encode_closely(source, passes, vae.encode, vae.decode)))
            for row in (rows[take.family], rows["all"]):
                _judge(row, take, picture)
            if passes > 1:
                _judge(rows[IN_ONE_PASS], take, _picture(vae.decode(vae.encode(source))))
            bar.advance()
    return {name: rows[name].row() for name in [*sorted(set(rows) - {"all"}), "all"]}


def _picture(video: Tensor) -> UInt8[np.ndarray, "F H W 3"]:
    frames = (video[0].permute(1, 2, 3, 0).float().cpu().numpy() + 1) * 127.5
    return frames.round().clip(0, 255).astype(np.uint8)


def held_out(takes: int) -> Iterator[Take]:
    """Takes of all families and sizes in turn, from seeds no training set uses."""
    names, sizes = sorted(FAMILIES), list(SIZES)
    for index in range(takes):
        width, height = sizes[index // len(names) % len(sizes)]
        yield render_take(
            names[index % len(names)],
            SEED_BASE + index,
            width=width,
            height=height,
            num_frames=FRAMES,
            supersample=2,
            masks=True,
            wordings=0,
        )


def _judge(row: Figures, take: Take, output: UInt8[np.ndarray, "F H W 3"]) -> None:
    difference = (take.frames.astype(np.float32) - output.astype(np.float32)) / 255
    row.takes += 1
    row.overall.add(difference)
    row.moving.add(difference[moving_pixels(take)])
    row.kept.extend(small_ball_contrasts(take, output))


def moving_pixels(take: Take) -> Bool[np.ndarray, "F H W"]:
    """Pixels of things that move in the picture in that frame."""
    assert take.masks is not None
    inside = np.zeros(take.masks.shape, bool)
    speed = (
        np.abs(np.diff(take.frames.astype(np.float32), axis=0, prepend=take.frames[:1])).mean(axis=-1) / 255
    )
    for number, thing in enumerate(take.truth["objects"], start=1):
        if not thing["moving"]:
            continue
        mask = take.masks == number
        for frame in range(1, len(mask)):
            if mask[frame].any() and speed[frame][mask[frame] | mask[frame - 1]].mean() > STILL:
                inside[frame] |= mask[frame]
    return inside


def small_ball_contrasts(take: Take, output: UInt8[np.ndarray, "F H W 3"]) -> list[float]:
    """For every ball 6 to 10 pixels wide in the middle frame: its contrast in `output` as a share of the source's."""
    assert take.masks is not None
    frame = len(take.frames) // 2
    found = []
    for number, thing in enumerate(take.truth["objects"], start=1):
        mask = take.masks[frame] == number
        if "ball" not in thing["noun"] or not mask.any():
            continue
        rows, columns = np.nonzero(mask)
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        top, left = rows.min() - 3, columns.min() - 3
        bottom, right = rows.max() + 4, columns.max() + 4
        whole = top >= 0 and left >= 0 and bottom <= mask.shape[0] and right <= mask.shape[1]
        if not (
            whole
            and all(SMALL[0] <= side <= SMALL[1] for side in sides)
            and mask.sum() > 0.6 * sides[0] * sides[1]
        ):
            continue
        ring = np.zeros_like(mask)
        ring[top:bottom, left:right] = True
        ring &= take.masks[frame] == 0
        if not ring.any():  # things all around it
            continue
        contrasts = [
            picture[frame][mask].astype(np.float32).mean(0) - picture[frame][ring].astype(np.float32).mean(0)
            for picture in (take.frames, output)
        ]
        strength = float(np.linalg.norm(contrasts[0]))
        if strength > 25:  # a grey ball on a grey floor says nothing
            found.append(float(contrasts[0] @ contrasts[1]) / strength**2)
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
