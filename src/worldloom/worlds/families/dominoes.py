"""A row of dominoes is pushed by a ball: all fall, a gap stops the row, or the first one holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene

FALLEN = (
    15.0  # degrees of tilt past which a domino has fallen or can only fall (it balances on its edge at 10)
)


@dataclass(frozen=True)
class DominoesParameters:
    plan: str  # "all", "gap" or "weak"
    ball: Paint
    paints: tuple[Paint, ...]  # taken in turn along the row
    count: int
    height: float  # m
    places: tuple[float, ...]  # m along the row from the first domino
    bend: float  # 1/m, curvature of the row; 0 is straight
    radius: float  # m
    speed: float  # m/s of the ball
    density: float  # kg/m3 of the ball
    approach: float  # m from the ball's surface to the first domino
    side: int  # +1: the row falls to the right, -1: to the left


class Dominoes(Family[DominoesParameters]):
    name = "dominoes"
    summary = "a row of dominoes pushed by a ball"
    EVENTS = ("roll", "push", "fall", "last_fall")
    OUTCOMES = ("all_fall", "gap_stops", "first_holds")

    def draw(self, rng: np.random.Generator, seconds: float) -> DominoesParameters:
        plan = str(rng.choice(["all", "gap", "weak"], p=[0.38, 0.34, 0.28]))
        brief = seconds < 1.4
        count = int(rng.integers(4, 6) if brief else rng.integers(6, 10))
        height = float(rng.uniform(0.32, 0.38) if brief else rng.uniform(0.44, 0.54))
        step = float(rng.uniform(0.42, 0.55)) * height
        places = np.arange(count) * step
        if plan == "gap":
            places[int(rng.integers(2, count)) :] += height * rng.uniform(1.3, 1.5)
        ball, *paints = draw_paints(rng, 1 + int(rng.choice([1, 2, 4], p=[0.5, 0.25, 0.25])))
        material = paints[0].material
        weak = plan == "weak"
        return DominoesParameters(
            plan=plan, ball=ball, paints=tuple(Paint(paint.colour, material) for paint in paints),
            count=count, height=height, places=tuple(float(place) for place in places),
            bend=0.0 if rng.random() < 0.5 else float(rng.uniform(-0.28, 0.28)),
            radius=float(rng.uniform(0.12, 0.16)),
            speed=float(rng.uniform(0.8, 1.0) if weak else rng.uniform(2.0, 2.6)),
            density=12.0 if weak else 500.0,
            approach=float(rng.uniform(0.12, 0.2) if brief else rng.uniform(0.22, 0.4)),
            side=int(rng.choice([-1, 1])),
        )  # fmt: skip

    def build(self, parameters: DominoesParameters, look: Look) -> Scene:
        p = parameters
        length = p.places[-1]
        total = length + p.height + p.approach + 2 * p.radius
        framing = Framing(
            centre=(0, 0.15 * p.bend, 0.42 * p.height), width=0.96 * total, height=max(0.4 * total, 0.8),
            azimuth=90 - 20 * p.side, elevation=-20,
        )  # fmt: skip
        scene = Scene(look, framing)
        x0 = -total / 2 + p.approach + 2 * p.radius
        start = p.side * (x0 - p.approach - p.radius - 0.09 * p.height)
        scene.add("ball", "ball", "sphere", [p.radius], (start, _bow(p, 0.0)[0], p.radius), p.ball,
                  density=p.density, restitution=0.3, friction=(0.6, 0.005, 0.0002))  # fmt: skip
        half = (0.09 * p.height, 0.27 * p.height, 0.5 * p.height)
        for index, place in enumerate(p.places):
            y, slope = _bow(p, place)
            turn = math.atan(slope) * p.side / 2
            scene.add(
                f"domino_{index + 1}", "domino", "box", half, (p.side * (x0 + place), y, half[2]),
                p.paints[index % len(p.paints)], quaternion=(math.cos(turn), 0, 0, math.sin(turn)),
                density=450, restitution=0.05, friction=(0.45, 0.005, 0.0005),
            )  # fmt: skip
        return scene

    def start(self, parameters: DominoesParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        speed = parameters.side * parameters.speed
        data.joint(model.body("ball").jntadr[0]).qvel[:] = (speed, 0, 0, 0, speed / parameters.radius, 0)

    def facts(self, parameters: DominoesParameters, record: Record) -> Facts:
        p = parameters
        names = [thing.name for thing in record.things[1:]]
        events = [Event("roll", 0, "ball")]
        events += [Event("push", c.frame, "ball", names[0]) for c in record.touches("ball", names[0])[:1]]
        fallen = []
        for name in names:
            tilt = np.array([record.turned(name, frame) for frame in range(record.num_frames)])
            if tilt[-1] > FALLEN:
                fallen.append(name)
                events.append(Event("fall", int(np.argmax(tilt > FALLEN)), name))
        if len(fallen) == len(names):
            events.append(Event("last_fall", max(event.frame for event in events), names[-1]))
        outcome = "all_fall" if len(fallen) == len(names) else "gap_stops" if fallen else "first_holds"
        return Facts(
            cast=("ball", *names),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "count": len(names),
                "fallen": len(fallen),
                "standing": len(names) - len(fallen),
                "curved": abs(p.bend) * p.places[-1] > 0.3,
                "colours": sorted({paint.colour for paint in p.paints}),
                "direction": "right" if p.side > 0 else "left",
            },
        )


def _bow(p: DominoesParameters, place: float) -> tuple[float, float]:
    """Sideways offset (m) of the row at `place` and its slope there: a parabola of that curvature."""
    return p.bend * place**2 / 2, p.bend * place
