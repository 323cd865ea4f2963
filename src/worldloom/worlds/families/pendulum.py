"""A pendulum swings freely or into a block, or a Newton's cradle passes its balls' motion along the row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, bounce

NAMES = ("ball", "second_ball", "third_ball", "fourth_ball", "fifth_ball")
FREE_TIMESTEP = 1 / 640
# The cradle works because its balls collide one after the other: a gap of some millimetres and a contact that lasts
# less than the time to cross it.
CRADLE_TIMESTEP = 1 / 2400
CRADLE_GAP = 0.006  # m


@dataclass(frozen=True)
class PendulumParameters:
    kind: str  # "free", "block" or "cradle"
    balls: tuple[Paint, ...]
    frame: Paint
    block: Paint
    length: float  # m, pivot to ball centre
    radius: float  # m
    angle: float  # degrees from the vertical at the start, lifted to `side`
    side: int  # +1: lifted to the right, -1: to the left
    lifted: int  # balls lifted at the start
    damping: float  # 1/s, of the swing
    block_half: tuple[float, float, float]  # m
    block_density: float  # kg/m3


class Pendulum(Family[PendulumParameters]):
    name = "pendulum"
    summary = "a pendulum swings freely or into a block, or a Newton's cradle clicks"
    EVENTS = ("release", "swing", "strike", "topple", "click", "fly_out")
    OUTCOMES = ("swings", "knocks_over", "stopped", "one_out", "two_out")

    def draw(self, rng: np.random.Generator, seconds: float) -> PendulumParameters:
        kind = str(rng.choice(["free", "topple", "hold", "cradle"], p=[0.2, 0.2, 0.17, 0.43]))
        cradle = kind == "cradle"
        balls = draw_paints(rng, 1)
        frame, block = draw_paints(rng, 2, materials=("metal", "wooden", "plastic"), avoid=(balls[0].colour,))
        # A quarter of the period 2 pi sqrt(l / g) is the time to the lowest point: 0.35 s to 0.5 s.
        length = float(rng.uniform(0.62, 0.74) if seconds < 1.4 else rng.uniform(0.75, 0.95))
        heavy = kind == "hold"
        return PendulumParameters(
            kind="block" if kind in ("topple", "hold") else kind,
            balls=balls * (5 if cradle else 1),
            frame=frame,
            block=block,
            length=length,
            radius=0.105 if cradle else float(rng.uniform(0.13, 0.18)),
            angle=float(rng.uniform(32, 46) if cradle else rng.uniform(40, 58)),
            side=int(rng.choice([-1, 1])),
            lifted=int(rng.choice([1, 2])) if cradle else 1,
            damping=float(rng.choice([0.05, 0.6])) if kind == "free" else 0.03,
            block_half=(0.2, 0.24, 0.2) if heavy else (0.08, 0.15, float(rng.uniform(0.27, 0.33))),
            block_density=3000.0 if heavy else 350.0,
        )

    def build(self, parameters: PendulumParameters, look: Look) -> Scene:
        p = parameters
        cradle = p.kind == "cradle"
        low = 0.24 if cradle else 0.2
        height = p.length + p.radius + low
        swing = p.length * math.sin(math.radians(p.angle)) + p.radius
        # The frame is wide enough for the whole swing and is itself what the camera shows.
        span = swing + 0.1 + (4 * p.radius + 2 * CRADLE_GAP if cradle else 0.0)
        framing = Framing(
            centre=(0, 0, height / 2), width=2 * span + 0.12, height=height + 0.25, elevation=-10
        )
        scene = Scene(look, framing, timestep=CRADLE_TIMESTEP if cradle else FREE_TIMESTEP)
        count = len(p.balls)
        for index, (name, paint) in enumerate(zip(NAMES, p.balls, strict=False)):
            x = (index - (count - 1) / 2) * (2 * p.radius + CRADLE_GAP) * -p.side
            scene.raw(self._ball(scene, p, name, paint, x, height), name, "ball", paint, size=p.radius)
        post = scene.material(p.frame)
        depth = 0.34 if cradle else 0.42
        bars = []
        for y in (-depth, depth) if cradle else (0.0,):
            bars.append(
                f'<geom type="capsule" fromto="{-span} {y} {height} {span} {y} {height}" size="0.026" material="{post}"/>'
            )
        for x in (-span, span):
            for y in (-depth, depth):
                top = y if cradle else 0
                bars.append(
                    f'<geom type="capsule" fromto="{x} {top} {height} {x} {y} 0.02" size="0.026" material="{post}"/>'
                )
        for y in (-depth, depth):
            bars.append(
                f'<geom type="box" pos="0 {y} 0.02" size="{span + 0.04} 0.035 0.02" material="{post}"/>'
            )
        bars = [bar.replace("/>", ' contype="0" conaffinity="0"/>') for bar in bars]
        scene.raw(
            f'<body name="frame">{"".join(bars)}</body>', "frame", "frame", p.frame, moving=False, size=height
        )
        if p.kind == "block":
            x = -p.side * (p.radius + p.block_half[0] + 0.01)
            scene.add("block", "block", "box", p.block_half, (x, 0, p.block_half[2]), p.block,
                      density=p.block_density, restitution=0.15, friction=(0.9, 0.01, 0.001))  # fmt: skip
        return scene

    def _ball(
        self, scene: Scene, p: PendulumParameters, name: str, paint: Paint, x: float, height: float
    ) -> str:
        """A ball on a hinge `length` above it, at rest below its pivot; cords are drawn, they do not collide."""
        apart = 0.34 if p.kind == "cradle" else 0.0
        cords = "".join(
            f'<geom type="box" fromto="0 0 {0.9 * p.radius} 0 {y} {p.length}" size="0.007" rgba="0.85 0.83 0.78 1" '
            'contype="0" conaffinity="0" mass="0"/>'
            for y in ((-apart, apart) if apart else (0.0,))
        )
        mass = 4 / 3 * math.pi * p.radius**3 * 900
        damping = p.damping * mass * p.length**2
        return (
            f'<body name="{name}" pos="{x} 0 {height - p.length}">'
            f'<joint name="{name}" type="hinge" axis="0 1 0" pos="0 0 {p.length}" damping="{damping:.6f}"/>'
            f'<geom name="{name}" type="sphere" size="{p.radius}" material="{scene.material(paint)}" density="900" '
            f'friction="0.05 0.001 0.0001" priority="1" {bounce(0.97 if p.kind == "cradle" else 0.6, scene.timestep)}/>'
            f"{cords}</body>"
        )

    def start(self, parameters: PendulumParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        # The first balls are the ones on the lifted side; a hinge about +y lifts to -x when its angle grows.
        for name in NAMES[: parameters.lifted]:
            data.joint(name).qpos[0] = -parameters.side * math.radians(parameters.angle)

    def facts(self, parameters: PendulumParameters, record: Record) -> Facts:
        p = parameters
        names = NAMES[: len(p.balls)]
        events = [Event("release", 0, names[0])]
        if p.kind == "cradle":
            outcome, extra = self._cradle(p, record, names, events)
        else:
            outcome, extra = self._single(p, record, events)
        cast = (*names, "frame", *(("block",) if p.kind == "block" else ()))
        return Facts(
            cast=cast,
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "kind": "cradle" if p.kind == "cradle" else "pendulum",
                "count": len(names),
                "lifted": p.lifted,
                "direction": "left" if p.side > 0 else "right",
                **extra,
            },
        )

    @staticmethod
    def _cradle(
        p: PendulumParameters, record: Record, names: tuple[str, ...], events: list[Event]
    ) -> tuple[str, dict]:
        """How many balls fly out on the far side: those that move half as far as the lifted ones did."""
        events += [
            Event("click", c.frame, c.first, c.second)
            for c in record.touches(names[p.lifted - 1], names[p.lifted])[:1]
        ]
        reach = p.length * math.sin(math.radians(p.angle))
        out = [
            name for name in names[p.lifted :]
            if (p.side * (record.path(name)[0, 0] - record.path(name)[:, 0])).max() > 0.5 * reach
        ]  # fmt: skip
        returns = bool(out)
        for name in out:
            away = p.side * (record.path(name)[0, 0] - record.path(name)[:, 0])
            events.append(Event("fly_out", int(np.argmax(away > 0.1 * reach)), name))
            returns &= bool(away[np.argmax(away) :].min() < 0.1 * reach)
        return {1: "one_out", 2: "two_out"}.get(len(out), "one_out"), {"flew": len(out), "returns": returns}

    @staticmethod
    def _single(p: PendulumParameters, record: Record, events: list[Event]) -> tuple[str, dict]:
        x = record.path("ball")[:, 0]
        crossings = [int(at) + 1 for at in np.flatnonzero(np.diff(np.sign(x)) != 0)]
        events += [Event("swing", at, "ball") for at in crossings]
        if p.kind == "free":
            return "swings", {"passes": len(crossings), "toppled": False}
        events += [Event("strike", c.frame, "ball", "block") for c in record.touches("ball", "block")[:1]]
        turned = np.array([record.turned("block", frame) for frame in range(record.num_frames)])
        toppled = bool(turned[-1] > 45)
        if toppled:
            events.append(Event("topple", int(np.argmax(turned > 30)), "block"))
        return ("knocks_over" if toppled else "stopped"), {"passes": len(crossings), "toppled": toppled}
