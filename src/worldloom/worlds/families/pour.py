"""A cup full of grains on a stand: it stays upright, is tilted, or is turned upside down, and spills accordingly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import MATERIALS, Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

OPAQUE = tuple(name for name, surface in MATERIALS.items() if surface.alpha == 1)
GRAIN = 0.052  # m, radius
RADIUS, DEEP, WALL = 0.19, 0.40, 0.014  # m: inner radius, inner height, half thickness of the wall
LIFT = 0.55  # m, height of the cup's axle
SIDES = 12
PLANS = ("upright", "tilted", "upturned")


@dataclass(frozen=True)
class PourParameters:
    plan: str  # how far the cup is turned
    side: int  # +1 tips to the right, -1 to the left
    grains: int
    paint: Paint
    grain_paint: Paint
    stand_paint: Paint
    angle: float  # degrees the cup is turned to
    start_time: float  # s
    end_time: float


class Pour(Family[PourParameters]):
    """The action is the commanded tilt of the cup in degrees, positive to the right."""

    name = "pour"
    summary = "a cup of grains is kept upright, tilted or upturned, and spills nothing, some or all"
    EVENTS = ("tilt", "spill", "land", "empty")
    OUTCOMES = ("stays_full", "some_spill", "all_spill")

    def draw(self, rng: np.random.Generator, seconds: float) -> PourParameters:
        plan = str(rng.choice(PLANS, p=[0.26, 0.36, 0.38]))
        paints = draw_paints(rng, 3, materials=("plastic", "rubber", "metal", "marble"))
        angle = {
            "upright": float(rng.uniform(8, 20)),
            # A quick tilt must go further for a part of the grains to get out.
            "tilted": float(rng.uniform(100, 116)) + 24 * max(0.0, 2 - seconds),
            "upturned": float(rng.uniform(155, 180)),
        }[plan]
        # An upright cup would keep its grains unseen, were it never of glass.
        material = "glass" if rng.random() < (0.8 if plan == "upright" else 0.45) else paints[0].material
        start = float(rng.uniform(0.04, 0.1)) * seconds
        return PourParameters(
            plan=plan,
            side=int(rng.choice([-1, 1])),
            grains=int(rng.integers(21, 28)),
            paint=Paint(paints[0].colour, material),
            grain_paint=Paint(paints[1].colour, "plastic"),
            stand_paint=paints[2],
            angle=angle,
            start_time=start,
            end_time=start + float(rng.uniform(0.28, 0.36)) * min(max(seconds, 1.0), 2.5),
        )

    def build(self, parameters: PourParameters, look: Look) -> Scene:
        scene = Scene(look, Framing(centre=(0, 0, 0.43), width=1.2, height=1.05, elevation=-24))
        # Two dozen grains make a hundred contacts; a long step keeps them affordable, low falls keep it exact.
        scene.timestep = 1 / 240
        self._add_cup(scene, parameters)
        colour = scene.material(parameters.grain_paint)
        for index, place in enumerate(_places(parameters.grains)):
            name = f"grain_{index + 1}"
            scene.raw(
                f'<body name="{name}" pos="{vector(place)}"><joint type="free" damping="0.2"/>'
                f'<geom type="sphere" size="{GRAIN}" material="{colour}" density="300" condim="1" '
                'friction="0.5 0.01 0.001" solref="0.0085 0.8" solmix="1000"/></body>',
                name, "grain", parameters.grain_paint, size=GRAIN,
            )  # fmt: skip
        scene.section(
            '<actuator><position name="tilt" joint="tilt" kp="300" kv="30"/></actuator>'
            '<option iterations="12" ls_iterations="8"/>'
        )
        return scene

    def _add_cup(self, scene: Scene, parameters: PourParameters) -> None:
        material = scene.material(parameters.paint)
        stand = scene.material(parameters.stand_paint)
        still = 'contype="0" conaffinity="0" density="0"'
        scene._assets["cup"] = _lathe()
        half = math.pi * (RADIUS + WALL) / SIDES
        walls = "".join(
            f'<geom type="box" size="{WALL} {1.08 * half} {DEEP / 2}" euler="0 0 {360 * step / SIDES}" '
            f'pos="{vector((math.cos(a) * (RADIUS + WALL), math.sin(a) * (RADIUS + WALL), 0))}" '
            'group="3" condim="1" density="200"/>'
            for step, a in enumerate(2 * math.pi * np.arange(SIDES) / SIDES)
        )
        floor = (
            f'<geom type="cylinder" size="{RADIUS + WALL} 0.02" pos="0 0 {-DEEP / 2 - 0.02}" group="3" condim="1" '
            'density="200"/>'
        )
        handle = "".join(
            f'<geom type="capsule" size="0.02" fromto="{vector(first)} {vector(second)}" material="{material}" {still}/>'
            for first, second in _handle(-parameters.side)
        )
        scene.raw(
            f'<body name="cup" pos="0 0 {LIFT}" gravcomp="1"><joint name="tilt" type="hinge" axis="0 1 0" damping="2" '
            f'armature="0.3"/><geom type="mesh" mesh="cup" material="{material}" {still}/>{walls}{floor}{handle}</body>',
            "cup", "cup", parameters.paint, size=DEEP / 2,
        )  # fmt: skip
        back = RADIUS + 0.1
        scene.decor(
            f'<geom type="cylinder" size="0.03 {LIFT / 2 + 0.04}" pos="0 {back} {LIFT / 2 + 0.04}" material="{stand}"/>'
            f'<geom type="cylinder" size="0.18 0.015" pos="0 {back} 0.015" material="{stand}"/>'
            f'<geom type="cylinder" size="0.022" fromto="0 {back} {LIFT} 0 {RADIUS} {LIFT}" material="{stand}" '
            f"{still}/>"
        )

    def drive(
        self, parameters: PourParameters, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> tuple[float]:
        share = (time - parameters.start_time) / (parameters.end_time - parameters.start_time)
        if parameters.plan != "upturned":
            # To the side and back: a sway that spills nothing, or a tilt long enough for a part to leave.
            turn = math.sin(math.pi * min(max(share / 2, 0.0), 1.0))
        else:
            turn = (1 - math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2
        angle = parameters.side * parameters.angle * turn
        data.ctrl[0] = math.radians(angle)
        return (round(angle, 2),)

    def facts(self, parameters: PourParameters, record: Record) -> Facts:
        names = [thing.name for thing in record.things if thing.noun == "grain"]
        inside = np.stack([_inside(record, name) for name in names], axis=1)  # F grains
        tilt = np.array([record.turned("cup", frame) for frame in range(record.num_frames)])
        spilled = (~inside).sum(axis=1)
        events = []
        moving = np.flatnonzero(tilt > 4)
        if len(moving):
            events.append(Event("tilt", int(moving[0]), "cup"))
        if spilled[-1]:
            first = int(np.flatnonzero(spilled > 0)[0])
            who = names[int(np.flatnonzero(~inside[first])[0])]
            events.append(Event("spill", first, who, "cup"))
            lands = [touch.frame for name in names for touch in record.touches(name, "floor")]
            if lands:
                events.append(Event("land", min(lands), who, "floor"))
        if spilled[-1] == len(names):
            events.append(Event("empty", int(np.flatnonzero(spilled == len(names))[0]), "cup"))
        outcome = (
            "stays_full" if not spilled[-1] else "some_spill" if spilled[-1] < len(names) else "all_spill"
        )
        return Facts(
            cast=("cup", names[0]),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "grains": len(names),
                "spilled": int(spilled[-1]),
                "tilt_degrees": round(float(tilt.max())),
                "kind": parameters.plan,
                "righted": parameters.plan == "tilted" and bool(tilt[-1] < 10),
                "direction": "right" if parameters.side > 0 else "left",
            },
        )


def _places(count: int) -> list[tuple[float, float, float]]:
    """Where the grains start (m, in the world): rings of six around one, layer on layer, every second one turned."""
    ring = 2.08 * GRAIN
    places = []
    for index in range(count):
        layer, slot = divmod(index, 7)
        z = LIFT - DEEP / 2 + GRAIN * (1.02 + 1.9 * layer)
        angle = math.pi / 3 * slot + math.pi / 6 * (layer % 2)
        radius = 0.0 if slot == 6 else ring
        places.append((radius * math.cos(angle), radius * math.sin(angle), z))
    return places


def _inside(record: Record, name: str) -> np.ndarray:
    """Whether a grain is within the cup's hollow, per frame, [F] bool."""
    offset = record.path(name) - record.path("cup")
    w, x, y, z = record.quaternion[:, record.index("cup")].T
    turn = np.stack(
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
        ],
        axis=1,
    ).reshape(-1, 3, 3)  # fmt: skip
    local = np.einsum("fij,fi->fj", turn, offset)
    return (np.hypot(local[:, 0], local[:, 1]) < RADIUS + WALL) & (np.abs(local[:, 2]) < DEEP / 2 + GRAIN)


def _handle(side: int) -> list[tuple[tuple[float, float, float], tuple[float, float, float]]]:
    """Capsule ends (m, in the cup's frame) of an ear on the far side of the pour."""
    angles = np.linspace(-math.pi / 2, math.pi / 2, 6)
    points = [(side * (RADIUS + 2 * WALL + 0.09 * math.cos(a)), 0.0, 0.12 * math.sin(a)) for a in angles]
    return list(pairwise(points))


def _lathe() -> str:
    """Mesh asset of the cup: inner and outer wall, rim and bottom, turned around the vertical."""
    around = 24
    outer, inner = RADIUS + 2 * WALL, RADIUS
    low, high = -DEEP / 2, DEEP / 2
    profile = [
        (0.0, low - 0.04), (outer * 0.96, low - 0.04), (outer, low), (outer, high), (inner, high), (inner, low),
        (0.0, low),
    ]  # fmt: skip
    vertices = [
        (radius * math.cos(2 * math.pi * step / around), radius * math.sin(2 * math.pi * step / around), z)
        for radius, z in profile
        for step in range(around)
    ]
    faces = []
    for row in range(len(profile) - 1):
        for step in range(around):
            a, b = row * around + step, row * around + (step + 1) % around
            c, d = a + around, b + around
            # On the axis a ring is one point: its quads shrink to triangles.
            if row > 0:
                faces.append((a, b, d))
            if row < len(profile) - 2:
                faces.append((a, d, c))
    return (
        f'<mesh name="cup" vertex="{" ".join(vector(v) for v in vertices)}" '
        f'face="{" ".join(" ".join(map(str, f)) for f in faces)}" inertia="shell"/>'
    )
