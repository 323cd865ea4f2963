"""One to three balls fall and bounce on the floor."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene

NAMES = ("ball", "second_ball", "third_ball")
SLOW = 0.15  # m/s


@dataclass(frozen=True)
class Ball:
    paint: Paint
    radius: float  # m
    height: float  # m, of the centre
    x: float
    y: float
    drift: float  # m/s along x
    rise: float  # m/s upward at the start
    restitution: float


@dataclass(frozen=True)
class BounceParameters:
    balls: tuple[Ball, ...]


class Bounce(Family[BounceParameters]):
    name = "bounce"
    summary = "one to three balls fall and bounce on the floor"
    EVENTS = ("fall", "bounce", "collide", "roll")
    OUTCOMES = ("still_bouncing", "rolls_away", "comes_to_rest")

    def draw(self, rng: np.random.Generator, seconds: float) -> BounceParameters:
        count = int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
        spread = {1: [0.0], 2: [-0.55, 0.55], 3: [-0.9, 0.0, 0.9]}[count]
        balls = []
        for paint, centre in zip(draw_paints(rng, count), spread, strict=True):
            radius = float(rng.uniform(0.17, 0.28))
            balls.append(
                Ball(
                    paint=paint,
                    radius=radius,
                    height=radius + float(rng.uniform(0.5, 1.35)),
                    x=centre + float(rng.uniform(-0.12, 0.12)),
                    y=float(rng.uniform(-0.35, 0.35)),
                    drift=float(rng.uniform(-0.8, 0.8)),
                    rise=float(rng.uniform(-0.5, 0.8)),
                    restitution=float(
                        rng.choice([rng.uniform(0.72, 0.88), rng.uniform(0.3, 0.6)], p=[0.7, 0.3])
                    ),
                )
            )
        return BounceParameters(tuple(balls))

    def build(self, parameters: BounceParameters, look: Look) -> Scene:
        scene = Scene(look, Framing(centre=(0, 0, 0.78), width=2.6, height=2.0, elevation=-12))
        for name, ball in zip(NAMES, parameters.balls, strict=False):
            scene.add(
                name, "ball", "sphere", [ball.radius], (ball.x, ball.y, ball.height), ball.paint,
                density=300, restitution=ball.restitution,
            )  # fmt: skip
        return scene

    def start(self, parameters: BounceParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        for name, ball in zip(NAMES, parameters.balls, strict=False):
            data.joint(model.body(name).jntadr[0]).qvel[:] = (ball.drift, 0, ball.rise, 0, 0, 0)

    def facts(self, parameters: BounceParameters, record: Record) -> Facts:
        names = NAMES[: len(parameters.balls)]
        events = [Event("fall", 0, name) for name in names]
        for contact in record.contacts:
            pair = {contact.first, contact.second}
            if "floor" in pair:
                if contact.frame >= record.num_frames - 1:
                    continue  # no rebound yet
                who = (pair - {"floor"}).pop()
                long = contact.last_frame - contact.frame >= 5
                events.append(Event("roll" if long else "bounce", contact.frame, who, "floor"))
            else:
                events.append(Event("collide", contact.frame, contact.first, contact.second))
        main = names[0]
        bounces = sum(event.key == "bounce" and event.who == main for event in events)
        rolling = any(event.key == "roll" and event.who == main for event in events)
        # Hops too low to see are rolling too.
        rolling |= bool(record.path(main)[-4:, 2].max() - parameters.balls[0].radius < 0.02)
        moving = record.speed(main) > 0.03
        outcome = "still_bouncing" if not rolling else "rolls_away" if moving else "comes_to_rest"
        drift = record.path(main)[-1, 0] - record.path(main)[0, 0]
        if drift * record.velocity[-1, record.index(main), 0] < 0:
            drift = 0.0  # turned round on the way
        return Facts(
            cast=names,
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "count": len(names),
                "bounces": bounces,
                # Along the ground too slow to be called rolling.
                "slow": [
                    name
                    for name in names
                    if float(np.linalg.norm(record.velocity[-1, record.index(name), :2])) < SLOW
                ],
                "direction": "right" if drift > 0.25 else "left" if drift < -0.25 else None,
            },
        )
