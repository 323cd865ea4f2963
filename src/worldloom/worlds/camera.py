"""Where the camera is in every frame: framing, aspect ratio and the camera move of the look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldloom.worlds.look import Look
from worldloom.worlds.scene import FIELD_OF_VIEW, Framing

ORBIT = 16.0  # degrees per second
DOLLY = 0.20  # share of the distance per second
PAN = 0.12  # share of the framed width per second
CRANE = 9.0  # degrees of elevation per second


@dataclass(frozen=True)
class View:
    """One frame's camera: looks at `centre` (m) from `distance` (m), angles in degrees."""

    centre: tuple[float, float, float]
    distance: float
    azimuth: float
    elevation: float

    def truth(self) -> dict:
        return {
            "centre": [round(part, 5) for part in self.centre],
            "distance": round(self.distance, 5),
            "azimuth": round(self.azimuth, 4),
            "elevation": round(self.elevation, 4),
            "fov": FIELD_OF_VIEW,
        }


def camera_path(
    framing: Framing, look: Look, width: int, height: int, num_frames: int, fps: float
) -> list[View]:
    """The view of every frame; the framed action stays inside the picture at any aspect ratio."""
    distance = framing.distance(width, height)
    azimuth, elevation = framing.azimuth + look.azimuth, framing.elevation
    shake = (
        _shake(look.shake_seed, num_frames, fps)
        if look.camera_move == "handheld"
        else np.zeros((num_frames, 3))
    )
    path = []
    middle = (num_frames - 1) / 2
    for frame in range(num_frames):
        # Moves are symmetric about the middle of the take, so that the action is best framed when it happens.
        time = (frame - middle) / fps
        turn, step, aside, lift = _move(look.camera_move, time)
        angle = math.radians(azimuth)
        shift = aside * framing.width
        centre = (
            framing.centre[0] + shift * math.sin(angle) + shake[frame, 0] * distance,
            framing.centre[1] - shift * math.cos(angle),
            framing.centre[2] + shake[frame, 1] * distance,
        )
        path.append(
            View(
                centre,
                distance * (1 + step),
                azimuth + turn + 40 * shake[frame, 2],
                min(-2.0, elevation - lift),
            )
        )
    return path


def _move(name: str, time: float) -> tuple[float, float, float, float]:
    """Azimuth turn (degrees), distance change (share), sideways shift (share of width), lift (degrees) at `time`."""
    side = {"left": -1.0, "right": 1.0}.get(name.split("_")[-1], 0.0)
    if name.startswith("orbit"):
        return side * ORBIT * time, 0.0, 0.0, 0.0
    if name.startswith("pan"):
        return 0.0, 0.0, side * PAN * time, 0.0
    return {
        "push_in": (0.0, -DOLLY * time, 0.0, 0.0),
        "pull_out": (0.0, DOLLY * time, 0.0, 0.0),
        "crane_up": (0.0, 0.0, 0.0, CRANE * time),
        "crane_down": (0.0, 0.0, 0.0, -CRANE * time),
    }.get(name, (0.0, 0.0, 0.0, 0.0))


def _shake(seed: int, num_frames: int, fps: float) -> np.ndarray:
    """Hand tremor: two slow random sines per axis, [num_frames, 3], about 1 % of the distance."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_frames) / fps
    axes = []
    for _ in range(3):
        rates, phases = rng.uniform(0.7, 2.6, 2), rng.uniform(0, 2 * np.pi, 2)
        axes.append(
            0.006
            * sum(np.sin(2 * np.pi * rate * time + phase) for rate, phase in zip(rates, phases, strict=True))
        )
    return np.stack(axes, axis=1)
