"""A two-link robot arm over a table pushes a block by actions: along, over, off the table, or past it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import MATERIALS, Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene

OPAQUE = tuple(name for name, surface in MATERIALS.items() if surface.alpha == 1)
TABLE = (0.56, 0.30, 0.26)  # m: half length, half depth, height
BASE_Y, LINK, ARM_RISE = 0.44, 0.48, 0.44  # m: arm base behind the table, link length, links above the table
TIP = 0.045  # m, radius of the arm's tip
TABLE_COLOURS = ("brown", "white", "grey", "black")  # kept for the table, so that blocks stand out
PLANS = ("slide", "topple", "off", "miss")
MOVED = 0.05  # m, less than this counts as standing still


@dataclass(frozen=True)
class Block:
    paint: Paint
    half: tuple[float, float, float]  # m
    x: float
    y: float


@dataclass(frozen=True)
class PusherParameters:
    plan: str  # which motion the arm makes, not what comes of it
    side: int  # +1 pushes to the right, -1 to the left
    blocks: tuple[Block, ...]  # the first is the one aimed at
    arm_paint: Paint
    table_paint: Paint
    tip_height: float  # m above the table
    begin: tuple[float, float]  # m, where the tip starts
    end: tuple[float, float]
    start_time: float  # s
    end_time: float


class Pusher(Family[PusherParameters]):
    """Actions are the commanded velocity of the arm's tip in the table's plane (x, y in m/s)."""

    name = "pusher"
    summary = "a robot arm pushes a block along a table, topples it, shoves it off, or misses it"
    EVENTS = ("reach", "touch", "push", "topple", "fall_off", "bump", "pass")
    OUTCOMES = ("slides", "topples", "falls_off", "missed")

    def draw(self, rng: np.random.Generator, seconds: float) -> PusherParameters:
        plan = str(rng.choice(PLANS, p=[0.32, 0.25, 0.23, 0.2]))
        side = int(rng.choice([-1, 1]))
        paints = draw_paints(rng, 3, materials=OPAQUE, avoid=TABLE_COLOURS)
        table_paint = Paint(str(rng.choice(TABLE_COLOURS)), str(rng.choice(["wooden", "plastic", "marble"])))
        wide = float(rng.uniform(0.07, 0.095))
        half = (wide, wide, wide)
        if plan == "topple":
            half = (0.055, 0.07, float(rng.uniform(0.14, 0.18)))
        elif rng.random() < 0.3:
            half = (wide, wide * 1.3, wide * 0.7)
        x = {"slide": -0.12, "topple": -0.05, "off": 0.16, "miss": 0.0}[plan] + float(
            rng.uniform(-0.05, 0.05)
        )
        y = float(rng.uniform(-0.05, 0.05))
        blocks = [Block(paints[0], half, side * x, y)]
        gap = half[0] + TIP
        begin = x - gap - float(rng.uniform(0.14, 0.2))
        reach = {
            "slide": x - gap + float(rng.uniform(0.16, 0.3)),
            "topple": x - gap + float(rng.uniform(0.14, 0.2)),
            "off": TABLE[0] - gap + float(rng.uniform(0.03, 0.06)),
            "miss": x + float(rng.uniform(0.2, 0.35)),
        }[plan]
        aside = 0.0
        if plan == "miss":
            aside = float(rng.choice([-1, 1])) * (half[1] + TIP + float(rng.uniform(0.03, 0.06)))
        small = float(rng.uniform(0.055, 0.07))
        if plan == "slide" and rng.random() < 0.5:
            # In line with the first: it is bumped along.
            blocks.append(Block(paints[1], (small,) * 3, side * (x + half[0] + small + 0.1), y))
        elif rng.random() < 0.45 and half[1] + abs(y) + 2 * small < 0.28:
            back = 0.3 - small - 0.02
            blocks.append(Block(paints[1], (small,) * 3, side * (x + 0.12), back if aside <= 0 else -back))
        return PusherParameters(
            plan=plan,
            side=side,
            blocks=tuple(blocks),
            arm_paint=paints[2],
            table_paint=table_paint,
            tip_height=max(TIP + 0.005, half[2] * (1.5 if plan == "topple" else 0.9)),
            begin=(side * begin, y + aside),
            end=(side * reach, y + aside),
            start_time=0.08 * seconds,
            end_time=float(rng.uniform(0.62, 0.75)) * max(seconds, 0.5),
        )

    def build(self, parameters: PusherParameters, look: Look) -> Scene:
        scene = Scene(look, Framing(centre=(0, 0.05, 0.38), width=1.6, height=1.0, elevation=-20))
        for index, block in enumerate(parameters.blocks):
            scene.add(
                "block" if index == 0 else "second_block", "block", "box", block.half,
                (block.x, block.y, TABLE[2] + block.half[2]), block.paint,
                density=300, restitution=0.05, friction=(0.55, 0.01, 0.001),
            )  # fmt: skip
        self._add_arm(scene, parameters)
        top = scene.material(parameters.table_paint)
        legs = "".join(
            f'<geom type="box" size="0.03 0.03 {TABLE[2] / 2 - 0.015}" '
            f'pos="{x * (TABLE[0] - 0.05)} {y * (TABLE[1] - 0.05)} {TABLE[2] / 2 - 0.015}" material="{top}"/>'
            for x in (-1, 1)
            for y in (-1, 1)
        )
        scene.raw(
            f'<body name="table"><geom type="box" size="{TABLE[0]} {TABLE[1]} 0.02" pos="0 0 {TABLE[2] - 0.02}" '
            f'material="{top}"/>{legs}</body>',
            "table", "table", parameters.table_paint, moving=False, size=TABLE[0],
        )  # fmt: skip
        return scene

    def _add_arm(self, scene: Scene, parameters: PusherParameters) -> None:
        paint, still = scene.material(parameters.arm_paint), 'contype="0" conaffinity="0" density="200"'
        dark = 'rgba="0.16 0.16 0.18 1"'
        height = TABLE[2] + ARM_RISE
        drop = ARM_RISE - parameters.tip_height
        joint = 'type="hinge" axis="0 0 1" damping="0.5" armature="0.05"'
        scene.decor(
            f'<geom type="cylinder" size="0.055 {height / 2}" pos="0 {BASE_Y} {height / 2}" {dark} {still}/>'
            f'<geom type="cylinder" size="0.11 0.02" pos="0 {BASE_Y} 0.02" {dark} {still}/>'
        )
        scene.raw(
            f'<body name="arm" pos="0 {BASE_Y} {height}"><joint name="shoulder" {joint}/>'
            f'<geom type="cylinder" size="0.06 0.045" {dark} {still}/>'
            f'<geom type="capsule" fromto="0 0 0 {LINK} 0 0" size="0.035" material="{paint}" {still}/>'
            f'<body name="forearm" pos="{LINK} 0 0"><joint name="elbow" {joint}/>'
            f'<geom type="cylinder" size="0.045 0.042" {dark} {still}/>'
            f'<geom type="capsule" fromto="0 0 0 {LINK} 0 0" size="0.03" material="{paint}" {still}/>'
            f'<geom type="capsule" fromto="{LINK} 0 0.03 {LINK} 0 {-drop}" size="0.02" {dark} {still}/>'
            f'<geom type="sphere" size="{TIP}" pos="{LINK} 0 {-drop}" material="{paint}" density="200" '
            'friction="0.4 0.01 0.001" solref="0.01 1"/></body></body>',
            "arm", "arm", parameters.arm_paint, size=LINK,
        )  # fmt: skip
        scene.section(
            '<actuator><position name="shoulder" joint="shoulder" kp="400" kv="25"/>'
            '<position name="elbow" joint="elbow" kp="400" kv="25"/></actuator>'
        )

    def start(self, parameters: PusherParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        # The joints' zero is along +x; place the arm where the plan begins.
        for name, angle in zip(
            ("shoulder", "elbow"), _angles(parameters.side, *parameters.begin), strict=True
        ):
            data.joint(name).qpos[:] = angle
            data.actuator(name).ctrl[:] = angle

    def drive(
        self, parameters: PusherParameters, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> tuple[float, float]:
        span = parameters.end_time - parameters.start_time
        share = min(max((time - parameters.start_time) / span, 0.0), 1.0)
        begin, end = np.array(parameters.begin), np.array(parameters.end)
        # Smooth start and stop: the speed follows a raised cosine.
        target = begin + (end - begin) * (1 - math.cos(math.pi * share)) / 2
        velocity = (end - begin) * (math.pi / 2 * math.sin(math.pi * share) / span if 0 < share < 1 else 0.0)
        data.ctrl[:2] = _angles(parameters.side, *target)
        return round(float(velocity[0]), 4), round(float(velocity[1]), 4)

    def facts(self, parameters: PusherParameters, record: Record) -> Facts:
        names = [thing.name for thing in record.things if thing.noun == "block"]
        path = record.path("block")
        moved = np.linalg.norm(path - path[0], axis=1)
        events = [Event("reach", 0, "arm")]
        touches = record.touches("block", "arm")
        if touches:
            events.append(Event("touch", touches[0].frame, "arm", "block"))
        fell = np.flatnonzero(path[:, 2] < TABLE[2] - 0.02)
        tilt = np.array([record.turned("block", frame) for frame in range(record.num_frames)])
        over = np.flatnonzero(tilt > 50)
        if moved[-1] > MOVED and touches:
            events.append(Event("push", int(np.flatnonzero(moved > 0.02)[0]), "arm", "block"))
        bumps = record.touches("block", "second_block") if "second_block" in names else []
        if bumps:
            events.append(Event("bump", bumps[0].frame, "block", "second_block"))
        outcome = "slides" if moved[-1] > MOVED else "missed"
        if len(fell):
            outcome = "falls_off"
            events.append(Event("fall_off", int(fell[0]), "block", "table"))
        elif len(over):
            outcome = "topples"
            events.append(Event("topple", int(over[0]), "block"))
        elif outcome == "missed":
            events.append(Event("pass", record.num_frames // 2, "arm", "block"))
        return Facts(
            cast=("block", "arm", *names[1:], "table"),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "direction": "right" if parameters.side > 0 else "left",
                "blocks": len(names),
                "tall": parameters.blocks[0].half[2] > 0.12,
                "bumps": bool(bumps),
                "distance_cm": round(100 * float(moved[-1])),
            },
        )


def _angles(side: int, x: float, y: float) -> tuple[float, float]:
    """Shoulder and elbow angle in radians that bring the tip to (x, y) m; the elbow trails."""
    dx, dy = x, y - BASE_Y
    reach = min(math.hypot(dx, dy), 1.995 * LINK)
    bend = 2 * math.acos(reach / (2 * LINK))
    return math.atan2(dy, dx) - side * bend / 2, side * bend
