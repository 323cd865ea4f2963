"""A tower or wall of blocks is struck by a ball: it comes down, loses some blocks, or stands."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene

GRAVITY = 9.81
# Ball density (kg/m3) and speed factor by what the strike is meant to do; physics decides what comes of it.
STRENGTH = {"heavy": (1600.0, 1.25), "top": (700.0, 1.0), "light": (60.0, 0.85)}
BLOCK_DENSITY = 320.0
FALLING = 0.7  # m/s downwards at the end of a take: such a block is still in its fall


@dataclass(frozen=True)
class StackParameters:
    kind: str  # "tower", "wall" or "pyramid"
    plan: str  # a key of STRENGTH
    ball: Paint
    paints: tuple[Paint, ...]  # of the blocks, taken in turn, row by row
    rows: int
    columns: int
    half: tuple[float, float, float]  # m, of one block
    radius: float  # m
    side: int  # +1: the ball comes from the right, -1: from the left
    start: tuple[float, float, float]  # m
    velocity: tuple[float, float, float]  # m/s
    jitter: tuple[float, ...]  # m, sideways shift of every row


class Stack(Family[StackParameters]):
    name = "stack"
    summary = "a tower or wall of blocks struck by a ball"
    EVENTS = ("throw", "strike", "fall", "land")
    OUTCOMES = ("topples", "loses_some", "stands")

    def draw(self, rng: np.random.Generator, seconds: float) -> StackParameters:
        kind = str(rng.choice(["tower", "wall", "pyramid"], p=[0.45, 0.35, 0.2]))
        plan = str(rng.choice(list(STRENGTH), p=[0.4, 0.3, 0.3]))
        if kind == "tower":
            rows, columns = int(rng.integers(4, 7)), 1
            half = (float(rng.uniform(0.13, 0.16)), 0.16, 0.62 / rows)
        elif kind == "wall":
            rows, columns = int(rng.integers(3, 5)), int(rng.integers(2, 4))
            half = (0.12, 0.2, 0.5 / rows)
        else:
            rows = columns = int(rng.integers(3, 5))
            half = (0.14, 0.16, 0.5 / rows)
        ball, *paints = draw_paints(rng, 1 + int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25])))
        if rng.random() < 0.6:
            paints = [Paint(paint.colour, paints[0].material) for paint in paints]
        radius = float(rng.uniform(0.14, 0.18))
        side = int(rng.choice([-1, 1]))
        factor = STRENGTH[plan][1]
        flight = float(rng.uniform(0.26, 0.32) if seconds < 1.4 else rng.uniform(0.34, 0.46)) / factor
        height = 2 * rows * half[2]
        share = rng.uniform(0.5, 0.75) if plan == "heavy" else rng.uniform(0.3, 0.8)
        aim = np.array([half[0] * columns + radius, 0.0, max(share * height, radius + 0.05)])
        if plan == "top":
            aim[2] = height - half[2] * rng.uniform(0.6, 1.1)
        start = np.array([rng.uniform(1.15, 1.35), rng.uniform(-0.1, 0.1), aim[2] + rng.uniform(0.0, 0.25)])
        velocity = (aim - start) / flight + np.array([0, 0, GRAVITY * flight / 2])
        return StackParameters(
            kind=kind, plan=plan, ball=ball, paints=tuple(paints), rows=rows, columns=columns,
            half=half, radius=radius, side=side,
            start=(float(side * start[0]), float(start[1]), float(start[2])),
            velocity=(float(side * velocity[0]), float(velocity[1]), float(velocity[2])),
            jitter=tuple(float(shift) for shift in rng.uniform(-0.012, 0.012, rows)),
        )  # fmt: skip

    def build(self, parameters: StackParameters, look: Look) -> Scene:
        p = parameters
        framing = Framing(
            centre=(-0.08 * p.side, 0, 0.62), width=2.6, height=1.7, azimuth=90 - 14 * p.side, elevation=-14
        )
        scene = Scene(look, framing)
        scene.add("ball", "ball", "sphere", [p.radius], p.start, p.ball, density=STRENGTH[p.plan][0],
                  restitution=0.45, friction=(0.5, 0.01, 0.001))  # fmt: skip
        for index, (row, x) in enumerate(_places(p)):
            z = p.half[2] * (2 * row + 1)
            paint = p.paints[(row if len(p.paints) > 1 and p.kind == "tower" else index) % len(p.paints)]
            scene.add(
                f"block_{index + 1}", "block", "box", p.half, (x + p.jitter[row], 0, z), paint,
                density=BLOCK_DENSITY, restitution=0.05, friction=(0.75, 0.01, 0.001),
            )  # fmt: skip
        return scene

    def start(self, parameters: StackParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        data.joint(model.body("ball").jntadr[0]).qvel[:] = (*parameters.velocity, 0, 0, 0)

    def facts(self, parameters: StackParameters, record: Record) -> Facts:
        p = parameters
        blocks = [thing.name for thing in record.things[1:]]
        events = [Event("throw", 0, "ball")]
        strikes = [c for c in record.touches("ball") if "block" in c.first + c.second]
        if strikes:
            events.append(Event("strike", strikes[0].frame, "ball", _other(strikes[0], "ball")))
        fallen = []
        for name in blocks:
            when = _fell(record, name, p.half[2])
            if when is not None:
                fallen.append(name)
                events.append(Event("fall", when, name))
        # a landing in the last frame is not seen
        lands = [c.frame for c in record.touches("ball", "floor")[:1] if c.frame < record.num_frames - 1]
        events += [Event("land", frame, "ball", "floor") for frame in lands]
        share = len(fallen) / len(blocks)
        falling = sum(record.velocity[-1, record.index(name), 2] < -FALLING for name in fallen)
        outcome = "topples" if share >= 0.5 else "loses_some" if fallen else "stands"
        return Facts(
            cast=("ball", *blocks),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "kind": p.kind,
                "count": len(blocks),
                "fallen": len(fallen),
                "falling": int(falling),
                "lying": int(_on_floor(record, fallen, max(p.half)).sum()),
                "scattered": _scattered(record, fallen, max(p.half)),
                "colours": sorted({paint.colour for paint in p.paints}),
                "direction": "left" if p.side > 0 else "right",
                "rebounds": bool(strikes) and _rebounds(record, strikes[0].frame, p.side, p.radius),
            },
        )


def _places(p: StackParameters) -> list[tuple[int, float]]:
    """Row and x (m) of every block, from the ground up; wall rows are laid in running bond by half a block."""
    width = 2 * p.half[0] + 0.004
    places = []
    for row in range(p.rows):
        count = p.columns - row if p.kind == "pyramid" else p.columns
        shift = 0.25 * width * (-1) ** row if p.kind == "wall" else 0.0
        places += [(row, shift + (index - (count - 1) / 2) * width) for index in range(count)]
    return places


def _other(contact: object, name: str) -> str:
    first, second = contact.first, contact.second  # type: ignore[attr-defined]
    return second if first == name else first


def _rebounds(record: Record, strike: int, side: int, radius: float) -> bool:
    """Whether the ball comes away from the blocks again, the way it came (`side`), by its radius at least (m)."""
    x = record.path("ball")[strike:, 0]
    return bool((side * (x - x[0])).max() > radius)


def _on_floor(record: Record, names: list[str], size: float) -> np.ndarray:
    """Which of the fallen blocks (half length `size`, m) end on the floor, not on others or in the air, [names] bool."""
    return np.array([record.path(name)[-1, 2] < 1.2 * size for name in names], dtype=bool)


def _scattered(record: Record, names: list[str], size: float) -> bool:
    """Whether at least two of the fallen blocks (half length `size`, m) lie on the floor apart from the others."""
    ends = np.array([record.path(name)[-1] for name in names]).reshape(-1, 3)
    gaps = np.linalg.norm(ends[:, None] - ends, axis=-1)
    np.fill_diagonal(gaps, np.inf)
    return bool((_on_floor(record, names, size) & (gaps > 2.2 * size).all(axis=1)).sum() >= 2)


def _fell(record: Record, name: str, half_height: float) -> int | None:
    """First frame in which a block has dropped by most of its half height or lies tipped, if it ends so.

    Where the take ends while the block moves, less is enough: it is caught in its fall.
    """
    moves = record.speed(name) > 0.4
    drop = record.path(name)[0, 2] - record.path(name)[:, 2]
    if drop[-1] > (0.2 if moves else 0.8) * half_height:
        return int(np.argmax(drop > (0.2 if moves else 0.4) * half_height))
    if record.turned(name) > (12 if moves else 35):
        tipped = [record.turned(name, frame) > (12 if moves else 20) for frame in range(record.num_frames)]
        return int(np.argmax(tipped))
    return None
