"""The *motion* suite: flicker, objects that vanish or appear, sharpness of what moves, and a floor that stays a plane.

Each measure is taken of real renders by the very same means as of the model's clips; what it finds there is its
ceiling or, where real renders cannot be at fault, its false alarms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from worldloom.core.progress import progress
from worldloom.core.sheet import contact_sheet
from worldloom.evaluate.flicker import flicker, true_still_region
from worldloom.evaluate.floor import floor_plane
from worldloom.evaluate.footage import FootageSuite, Piece, orbits, render_piece, world_of
from worldloom.evaluate.judge import Judge
from worldloom.evaluate.objects import erase, find_losses, object_cells, pixels_of
from worldloom.evaluate.sharpness import edge_sharpness, sharpness_kept
from worldloom.evaluate.studio import NO_MODEL, Studio
from worldloom.evaluate.suite import Figure, Line, SuiteResult, Unit, mean, median, ratio, share

FLICKER, LOSSES = 1.3, 0.03  # the acceptance: x of real renders, share of clips
ROUNDING = 0.25
"""Levels by which rounding alone moves a pixel. A renderer repeats itself to the bit: no less is asked of a model."""
ORBIT_SHARE = 4
"""One take whose camera orbits for every so many of the others."""
HIDING = ("occluder",)
"""Families in which things hide; there nothing is called vanished."""
SHOWN = 12  # clips on a sheet

NOTES = (
    "flicker: mean distance of a pixel from the mean of the frames before and after, where nothing moves; still camera;",
    "a renderer's is 0 up to shadows, so no clip of it is taken for less than the 0.25 levels that rounding makes",
    "vanish, appear: objects seen by the judge and followed by colour to the clip's other end; still camera, no family",
    "in which things hide; on real renders these are false alarms, and erased objects found are the detector's hits",
    "sharpness: 95th percentile of the gradient over the contrast, in and around the objects that the judge sees",
    "floor: distance of its optical flow over 4 frames from the best homography, where the camera orbits",
    "means and medians: bootstrap over clips; shares: Wilson 95 % intervals",
)


def run_motion(
    suite: FootageSuite, judge: Judge, studio: Studio | None, *, quiet: bool = False
) -> SuiteResult:
    """Measure motion on the suite's takes and on the model's clips for their captions, and the floor on further orbits."""
    start = time.monotonic()
    rows: list[dict[str, Any]] = []
    strips: dict[str, list[tuple[str, np.ndarray]]] = {}
    turning = list(orbits(suite, -(-suite.takes // ORBIT_SHARE)))
    with progress(suite.takes + len(turning), "motion", quiet, "takes") as bar:
        for number in [*range(suite.takes), *turning]:
            piece = render_piece(suite, number, studio)
            row = piece.describe()
            clips = {"real": piece.take.frames} | ({} if piece.clip is None else {"model": piece.clip})
            if studio is not None and piece.camera == "still":
                clips["coded"] = studio.reconstruct(piece.take.frames)
            for who, clip in clips.items():
                row[who] = measure(piece, clip, judge)
                if who != "coded" and (kind := _kind(piece, row[who])) is not None:
                    strips.setdefault(kind, []).append((_label(row, who), clip))
            if piece.camera == "still" and piece.take.family not in HIDING:
                row["erased"] = _erased_found(piece, judge)
            rows.append(row)
            bar.advance()
    return SuiteResult(
        suite="motion",
        model=NO_MODEL if studio is None else studio.model,
        lines=lines(rows),
        settings={
            **asdict(suite),
            "orbits": len(turning),
            "first world seed": world_of(suite, 0)[1],
            **({} if studio is None else studio.settings),
        },
        notes=NOTES,
        sheets={
            kind: contact_sheet([clip for _, clip in shown], 8, [text for text, _ in shown])
            for kind, shown in ((kind, pairs[:SHOWN]) for kind, pairs in strips.items())
        },
        cases=rows,
        seconds=time.monotonic() - start,
    )


def measure(piece: Piece, clip: np.ndarray, judge: Judge) -> dict[str, Any]:
    """Return what one clip for a take's caption comes to, as plain values; only what its camera allows."""
    figures: dict[str, Any] = {}
    cells = object_cells(judge, clip)
    sharpness = edge_sharpness(clip, pixels_of(cells, clip))
    figures["sharpness"] = None if np.isnan(sharpness).all() else float(np.nanmedian(sharpness))
    figures["sharpness_kept"] = sharpness_kept(sharpness)
    if piece.camera == "still":
        found = flicker(clip)
        figures |= {"flicker": found.levels, "still": found.still}
        if clip is piece.take.frames and piece.take.masks is not None:
            figures["flicker_true"] = flicker(clip, true_still_region(piece.take.masks)).levels
        if piece.take.family not in HIDING:
            losses, followed = find_losses(clip, cells)
            figures |= {"losses": [asdict(loss) for loss in losses], "followed": followed}
    elif piece.camera.startswith("orbit"):
        figures |= {f"floor_{name}": value for name, value in asdict(floor_plane(clip)).items()}
    return figures


def _erased_found(piece: Piece, judge: Judge) -> bool | None:
    """Whether the detector finds a real render's main object missing once it is erased; None where it cannot be.

    An object that stands where nothing behind it is ever seen cannot be erased.
    """
    assert piece.take.masks is not None
    mask, frame = piece.take.masks == 1, len(piece.take.frames) // 2
    if not mask[:frame].any(axis=(1, 2)).all() or mask[0].sum() < 100:
        return None
    erased = erase(piece.take.frames, mask, frame)
    if erased is None:
        return None
    return bool(find_losses(erased, object_cells(judge, erased))[0])


def lines(rows: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
    """Return the table of the suite's rows."""

    def of(who: str, name: str) -> list[Any]:
        return [row[who][name] for row in rows if row.get(who, {}).get(name) is not None]

    def line(what: str, summary: Callable[[list], Figure], name: str, unit: Unit) -> Line:
        return Line(what, summary(of("model", name)), summary(of("real", name)), unit)

    real_flicker = [max(levels, ROUNDING) for levels in of("real", "flicker")]
    times = ratio(of("model", "flicker"), real_flicker)
    vanish = {
        (who, kind): share(
            [any(loss["kind"] == kind for loss in losses) for losses in of(who, "losses")]
            if kind
            else [bool(losses) for losses in of(who, "losses")]
        )
        for who in ("model", "real")
        for kind in ("", "vanishes", "appears")
    }
    lost = vanish["model", ""].value
    return (
        line("flicker in still regions", mean, "flicker", "levels"),
        Line(
            "  over real renders', or 0.25 levels", times, Figure(), "x", "1.3 x", _met(times.value, FLICKER)
        ),
        Line("  real renders through the autoencoder", Figure(), mean(of("coded", "flicker")), "levels"),
        Line("  real renders where masks show nothing", Figure(), mean(of("real", "flicker_true")), "levels"),
        line("  still share of the picture", median, "still", "%"),
        Line(
            "clips with objects vanishing or appearing",
            vanish["model", ""],
            vanish["real", ""],
            "%",
            "3 %",
            _met(lost, LOSSES),
        ),
        Line("  vanishing", vanish["model", "vanishes"], vanish["real", "vanishes"], "%"),
        Line("  appearing", vanish["model", "appears"], vanish["real", "appears"], "%"),
        line("  objects followed, of both ends", mean, "followed", ""),
        Line(
            "  erased from real renders, found",
            Figure(),
            share([row["erased"] for row in rows if row.get("erased") is not None]),
            "%",
        ),
        line("sharpness of objects, 1/pixel", median, "sharpness", ""),
        line("  last third over first third", median, "sharpness_kept", "x"),
        line("floor under orbit: off the plane", median, "floor_residual", "px"),
        line("  its motion in 4 frames", median, "floor_motion", "px"),
    )


def _met(value: float | None, most: float) -> bool | None:
    return None if value is None else value <= most


def _kind(piece: Piece, figures: dict[str, Any]) -> str | None:
    """Return the sheet on which a clip is shown."""
    if figures.get("losses"):
        return "losses"
    if piece.camera.startswith("orbit"):
        return "orbit"
    return "still" if piece.camera == "still" else None


def _label(row: dict[str, Any], who: str) -> str:
    found = row[who]
    told = [f"{loss['kind']} at {loss['frame']} {loss['place']}" for loss in found.get("losses", [])]
    for name in ("flicker", "floor_residual", "floor_motion", "sharpness", "sharpness_kept"):
        if found.get(name) is not None:
            told.append(f"{name} {found[name]:.2f}")
    return f"#{row['number']} {who}, {row['family']}, {row['camera']}: {', '.join(told)}"
