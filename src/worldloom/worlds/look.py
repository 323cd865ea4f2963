"""How a scene looks: paint, floor, mood and camera move, all drawn independently of its physics.

A look never touches mass, friction or speed, so that the same physics can be seen in any dress and a model cannot
guess the outcome from the colour. Names are the words captions use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.10, 0.10),
    "orange": (0.98, 0.48, 0.05),
    "yellow": (0.97, 0.85, 0.10),
    "green": (0.12, 0.62, 0.18),
    "cyan": (0.10, 0.75, 0.78),
    "blue": (0.10, 0.28, 0.88),
    "purple": (0.50, 0.16, 0.72),
    "pink": (0.98, 0.48, 0.70),
    "brown": (0.45, 0.26, 0.12),
    "white": (0.95, 0.95, 0.95),
    "black": (0.08, 0.08, 0.09),
    "grey": (0.50, 0.50, 0.52),
}


@dataclass(frozen=True)
class Material:
    """Surface of an object: texture pattern and light response (MuJoCo material fields, 0..1)."""

    texture: str | None
    specular: float
    shininess: float
    reflectance: float = 0.0
    alpha: float = 1.0


MATERIALS: dict[str, Material] = {
    "rubber": Material(None, 0.1, 0.1),
    "plastic": Material(None, 0.6, 0.6),
    "metal": Material("brushed", 1.0, 0.9, reflectance=0.35),
    "wooden": Material("grain", 0.15, 0.2),
    "marble": Material("veins", 0.7, 0.8),
    "glass": Material(None, 1.0, 1.0, alpha=0.55),
    "striped": Material("stripes", 0.3, 0.4),
    "dotted": Material("dots", 0.3, 0.4),
}


@dataclass(frozen=True)
class Floor:
    """Ground plane: texture name, metres per texture tile, mirror share (0 = none; costs a second pass)."""

    texture: str
    tile: float
    reflectance: float = 0.0


FLOORS: dict[str, Floor] = {
    "wooden": Floor("planks", 2.0),
    "tiled": Floor("tiles", 1.6, reflectance=0.12),
    "marble": Floor("marble", 3.0, reflectance=0.15),
    "grass": Floor("grass", 1.5),
    "sand": Floor("sand", 2.0),
    "concrete": Floor("concrete", 3.0),
    "carpet": Floor("carpet", 1.2),
    "brick": Floor("bricks", 1.6),
}


@dataclass(frozen=True)
class Mood:
    """Light and sky: key light colour and direction, ambient, sky gradient from horizon to zenith (RGB 0..1)."""

    key: tuple[float, float, float]
    ambient: tuple[float, float, float]
    horizon: tuple[float, float, float]
    zenith: tuple[float, float, float]
    elevation: float  # degrees of the key light above the floor


MOODS: dict[str, Mood] = {
    "noon": Mood((0.82, 0.82, 0.78), (0.38, 0.39, 0.42), (0.80, 0.90, 0.98), (0.25, 0.50, 0.88), 66.0),
    "sunset": Mood((0.95, 0.58, 0.28), (0.34, 0.27, 0.30), (0.99, 0.66, 0.36), (0.36, 0.30, 0.55), 38.0),
    "overcast": Mood((0.40, 0.41, 0.43), (0.52, 0.53, 0.55), (0.80, 0.81, 0.83), (0.60, 0.63, 0.68), 75.0),
    "night": Mood((0.48, 0.54, 0.78), (0.16, 0.18, 0.27), (0.10, 0.12, 0.24), (0.02, 0.03, 0.09), 55.0),
    "studio": Mood((0.72, 0.72, 0.72), (0.46, 0.46, 0.46), (0.92, 0.92, 0.92), (0.78, 0.78, 0.80), 62.0),
    "dawn": Mood((0.80, 0.60, 0.66), (0.36, 0.33, 0.42), (0.98, 0.76, 0.80), (0.48, 0.56, 0.82), 42.0),
}

CAMERA_MOVES = (
    "still",
    "orbit_left",
    "orbit_right",
    "push_in",
    "pull_out",
    "pan_left",
    "pan_right",
    "crane_up",
    "crane_down",
    "handheld",
)
# Half of all takes stand still: motion of the objects is what a small model has to learn first.
CAMERA_WEIGHTS = (0.46,) + (0.06,) * 9


@dataclass(frozen=True)
class Paint:
    """What an object is made of to the eye: a colour name and a material name."""

    colour: str
    material: str

    @property
    def rgba(self) -> tuple[float, float, float, float]:
        return (*COLOURS[self.colour], MATERIALS[self.material].alpha)


@dataclass(frozen=True)
class Look:
    """Everything of a take that is only look. `azimuth` turns the camera (degrees), `sun` the key light."""

    floor: str
    mood: str
    camera_move: str
    azimuth: float
    sun: float
    shade: float  # brightness factor of the floor texture, so that floors of one kind differ
    shake_seed: int


def draw_look(rng: np.random.Generator) -> Look:
    """A random look; every field independent of the others."""
    return Look(
        floor=str(rng.choice(list(FLOORS))),
        mood=str(rng.choice(list(MOODS), p=[0.26, 0.15, 0.17, 0.1, 0.2, 0.12])),
        camera_move=str(rng.choice(CAMERA_MOVES, p=CAMERA_WEIGHTS)),
        azimuth=float(rng.uniform(-16, 16)),
        sun=float(rng.uniform(-60, 60)),
        shade=float(rng.uniform(0.85, 1.1)),
        shake_seed=int(rng.integers(1 << 31)),
    )


def draw_paints(
    rng: np.random.Generator,
    count: int,
    *,
    materials: tuple[str, ...] = tuple(MATERIALS),
    avoid: tuple[str, ...] = (),
) -> tuple[Paint, ...]:
    """`count` paints of distinct colours (none in `avoid`), materials drawn from `materials`."""
    names = [name for name in COLOURS if name not in avoid]
    if count > len(names):
        raise ValueError(f"{count} distinct colours asked, {len(names)} available")
    colours = rng.choice(names, size=count, replace=False)
    return tuple(Paint(str(colour), str(rng.choice(materials))) for colour in colours)
