"""Something is let go on an incline: a ball or a cylinder rolls down, a box slides down or sticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

GRAVITY = 9.81
HALF_WIDTH = 0.34  # m, of the ramp
THICKNESS = 0.03  # m, half thickness of its board
# Acceleration along the slope over g sin(angle) of what rolls without slipping: 1 / (1 + I / (m r^2)).
ROLLING = {"ball": 5 / 7, "cylinder": 2 / 3}


@dataclass(frozen=True)
class RampParameters:
    kind: str  # "ball", "cylinder" or "box"
    paint: Paint
    ramp: Paint
    wall: Paint  # at the end of the run, where the object would leave the picture
    angle: float  # degrees
    length: float  # m, of the slope
    start: float  # m along the slope from its foot to the object
    size: float  # m, radius or half edge
    push: float  # m/s down the slope at the start
    friction: float  # of a box on the ramp
    run: float  # m of floor from the foot of the slope to the wall
    side: int  # +1: down to the right, -1: down to the left


class Ramp(Family[RampParameters]):
    name = "ramp"
    summary = "what rolls, what slides and what sticks on an incline"
    EVENTS = ("release", "reach_floor", "hit_wall")
    OUTCOMES = ("rolls_down", "slides_down", "sticks")

    def draw(self, rng: np.random.Generator, seconds: float) -> RampParameters:
        plan = str(rng.choice(["ball", "cylinder", "slide", "stick"], p=[0.28, 0.2, 0.28, 0.24]))
        kind = plan if plan in ROLLING else "box"
        angle = float(rng.uniform(19, 31))
        slope = math.tan(math.radians(angle))
        friction = slope * float(rng.uniform(1.5, 2.2) if plan == "stick" else rng.uniform(0.12, 0.4))
        push = 0.0 if plan == "stick" else float(rng.uniform(0.0, 0.35))
        pull = GRAVITY * math.sin(math.radians(angle))
        pull *= ROLLING[kind] if kind in ROLLING else max(1 - friction / slope, 0.3)
        time = seconds * float(rng.uniform(0.38, 0.5)) if seconds < 1.4 else float(rng.uniform(0.75, 1.0))
        start = min(max(push * time + pull * time**2 / 2, 0.5), 1.45)
        if plan == "stick":
            start = float(rng.uniform(0.7, 1.2))
        paints = draw_paints(rng, 3)
        size = float(rng.uniform(0.13, 0.18))
        return RampParameters(
            kind=kind, paint=paints[0],
            ramp=Paint(paints[1].colour, str(rng.choice(["wooden", "plastic", "marble"]))),
            wall=Paint(paints[2].colour, "plastic"),
            angle=angle, length=start + size + float(rng.uniform(0.05, 0.2)), start=start, size=size, push=push,
            friction=friction, run=float(rng.uniform(0.8, 1.0)), side=int(rng.choice([-1, 1])),
        )  # fmt: skip

    def build(self, parameters: RampParameters, look: Look) -> Scene:
        p = parameters
        angle = math.radians(p.angle)
        base, top = p.length * math.cos(angle), p.length * math.sin(angle)
        foot = p.side * (base - p.run) / 2
        height = top + 2.2 * p.size
        framing = Framing(
            centre=(0, 0, 0.42 * height), width=base + p.run + 0.2, height=1.15 * height + 0.2,
            azimuth=90 + 12 * p.side, elevation=-15,
        )  # fmt: skip
        scene = Scene(look, framing, timestep=1 / 640)
        # Everything below is laid out for a slope that falls to +x and mirrored by turning it half round about z.
        along = np.array([-math.cos(angle), 0, math.sin(angle)])
        normal = np.array([math.sin(angle), 0, math.cos(angle)])
        offset = p.size if p.kind != "box" else 0.8 * p.size
        place = p.start * along + (offset + 0.001) * normal
        tilt = (math.cos(angle / 2), 0, math.sin(angle / 2), 0)
        if p.side < 0:
            place = place * (-1, 1, 1)
            tilt = (math.cos(angle / 2), 0, -math.sin(angle / 2), 0)
        place = place + np.array([foot, 0, 0])
        shape, size, turn = {
            "ball": ("sphere", [p.size], tilt),
            "cylinder": ("cylinder", [p.size, 1.3 * p.size], (math.sqrt(0.5), math.sqrt(0.5), 0, 0)),
            "box": ("box", [1.1 * p.size, p.size, 0.8 * p.size], tilt),
        }[p.kind]
        slick = p.friction if p.kind == "box" else 0.8
        scene.add(p.kind, p.kind, shape, size, place, p.paint, quaternion=turn, density=400,
                  restitution=0.1, friction=(slick, 0.005, 0.0005))  # fmt: skip
        scene.section(f"<asset>{_wedge(base, top)}</asset>")
        board = scene.material(p.ramp)
        middle = p.length / 2 * along - THICKNESS * normal
        spin = "1 0 0 0" if p.side > 0 else "0 0 0 1"
        flat = (math.cos(angle / 2), 0, math.sin(angle / 2), 0)
        scene.raw(
            f'<body name="ramp" pos="{foot} 0 0" quat="{spin}">'
            f'<geom type="box" pos="{vector(middle)}" quat="{vector(flat)}" size="{p.length / 2} {HALF_WIDTH} {THICKNESS}" '
            f'group="3" friction="0.5 0.01 0.001"/>'
            f'<geom type="mesh" mesh="wedge" material="{board}" contype="0" conaffinity="0"/></body>',
            "ramp", "ramp", p.ramp, moving=False, size=p.length,
        )  # fmt: skip
        x = foot + p.side * (p.run + 0.05)
        scene.add("wall", "wall", "box", [0.05, 0.4, 0.2], (x, 0, 0.2), p.wall, free=False, restitution=0.3)
        return scene

    def start(self, parameters: RampParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        p = parameters
        angle = math.radians(p.angle)
        velocity = (p.side * p.push * math.cos(angle), 0, -p.push * math.sin(angle))
        spin = p.side * p.push / p.size if p.kind in ROLLING else 0.0
        # The spin of a free joint is in the body's own axes: a cylinder lies with its own z along world -y.
        own = {"ball": (0, spin, 0), "cylinder": (0, 0, -spin), "box": (0, 0, 0)}[p.kind]
        data.joint(model.body(p.kind).jntadr[0]).qvel[:] = (*velocity, *own)

    def facts(self, parameters: RampParameters, record: Record) -> Facts:
        p = parameters
        events = [Event("release", 0, p.kind)]
        path = record.path(p.kind)
        moved = float(np.linalg.norm(path[-1] - path[0]))
        sticks = moved < 0.05
        floor, wall = record.touches(p.kind, "floor"), record.touches(p.kind, "wall")
        events += [Event("reach_floor", c.frame, p.kind, "floor") for c in floor[:1]]
        events += [Event("hit_wall", c.frame, p.kind, "wall") for c in wall[:1]]
        # How far (m) it has come back from its furthest point down the run.
        back = float((p.side * (path[:, 0] - path[-1, 0])).max())
        outcome = "sticks" if sticks else "rolls_down" if p.kind in ROLLING else "slides_down"
        return Facts(
            cast=(p.kind, "ramp", "wall"),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "kind": p.kind,
                "direction": "right" if p.side > 0 else "left",
                "steep": p.angle > 26,
                "reached_floor": bool(floor),
                "hit_wall": bool(wall),
                "rebounds": bool(wall) and back > p.size,
            },
        )


def _wedge(base: float, top: float) -> str:
    """Mesh asset of the ramp as one sees it: a prism from the foot (x = 0) up to `top` at x = -base, slope to +x."""
    y = HALF_WIDTH
    points = [(0, -y, 0), (-base, -y, 0), (-base, -y, top), (0, y, 0), (-base, y, 0), (-base, y, top)]
    faces = [(0, 2, 1), (3, 4, 5), (0, 3, 5), (0, 5, 2), (1, 2, 5), (1, 5, 4), (0, 1, 4), (0, 4, 3)]
    corners = " ".join(f"{a} {b} {c}" for a, b, c in faces)
    return f'<mesh name="wedge" vertex="{" ".join(vector(point) for point in points)}" face="{corners}" smoothnormal="false"/>'
