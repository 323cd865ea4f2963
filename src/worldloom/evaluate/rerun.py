"""The takes of the physics suite: filmed with the camera still, and run again from the moment the model takes over.

A second run starts from what the given frames cannot tell apart: everything that moves gets another velocity, by as
much as its velocity is uncertain when its place is known to half a pixel in each of five frames. Half a pixel is what
the tracker achieves on renders (`tracker.py`; 0.5 px in the median at 128 pixels).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldloom.core.seed import numpy_generator
from worldloom.evaluate.examples import SEED_BASE
from worldloom.worlds.look import draw_look
from worldloom.worlds.nudge import nudge
from worldloom.worlds.render import Film, film
from worldloom.worlds.scene import FIELD_OF_VIEW
from worldloom.worlds.stage import FPS, Stage, set_stage

GIVEN = 5
"""Frames that the model is shown."""
UNCERTAIN = 0.5
"""Pixels by which the place of a thing in one frame is uncertain."""
FIRST_SEED = SEED_BASE + 2 * 10**12
SEEDS_PER_SUITE = 10**6


@dataclass(frozen=True)
class Run:
    """One run of a scene: `film` with masks, its truth, and how many pixels a metre is at the scene's centre."""

    film: Film
    truth: dict[str, Any]
    pixels_per_metre: float


def still_seeds(family: str, count: int, start: int) -> list[int]:
    """Return the first `count` world seeds from `start` on whose camera stands still."""
    found: list[int] = []
    while len(found) < count:
        if draw_look(numpy_generator("look", family, start)).camera_move == "still":
            found.append(start)
        start += 1
    return found


def run(
    family: str,
    seed: int,
    width: int,
    height: int,
    num_frames: int,
    again: int = 0,
    change: Callable[[Any], Any] | None = None,
) -> Run:
    """Run and film a scene; `again` above 0 is a run that goes its own way from the last given frame on."""
    stage = set_stage(
        family, seed, width=width, height=height, num_frames=num_frames, supersample=2, change=change
    )
    scale = pixels_per_metre(stage, height)
    rng = numpy_generator("rerun", family, seed, again)

    def then(frame: int) -> None:
        if again and frame == GIVEN - 1:
            nudge(stage, velocity_error(scale), rng)

    shot = film(stage, width, height, supersample=2, masks=True, then=then)
    return Run(shot, stage.truth(), scale)


def pixels_per_metre(stage: Stage, height: int) -> float:
    """Return the scale of the picture at the distance of what the camera looks at."""
    return height / 2 / math.tan(math.radians(FIELD_OF_VIEW) / 2) / stage.views[0].distance


def velocity_error(scale: float) -> float:
    """Return the standard error (m/s) of a velocity fitted to places in `GIVEN` frames, each off by `UNCERTAIN` px.

    The slope of a straight line through points at times t_i has the error s / sqrt(sum (t_i - mean t)^2).
    """
    times = np.arange(GIVEN) / FPS
    return UNCERTAIN / scale / float(np.sqrt(((times - times.mean()) ** 2).sum()))
