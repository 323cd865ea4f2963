"""An egg and a tomato under a fall or a knock: the egg's shell breaks above a force, the tomato never does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import MATERIALS, Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, bounce, vector

OPAQUE = tuple(name for name, surface in MATERIALS.items() if surface.alpha == 1)
SIZE = 0.17  # m: a giant's breakfast, at the scale of the other worlds
STRENGTH = 25.0  # times its own weight: the force in one contact that breaks the shell
CUSHION = 0.16  # m, height of the soft cushion
LEDGE = 0.5  # m, height of the ledge things are knocked from
TOMATO_COLOURS = ("red", "orange", "yellow", "green")
EGG_COLOURS = ("white", "brown", "yellow", "pink", "cyan", "blue")
PIECES = ("yolk", "shell_1", "shell_2")
PARKED = -3.0  # m, where the pieces wait below the floor


@dataclass(frozen=True)
class FragileParameters:
    kind: str  # "egg" or "tomato"
    cause: str  # "drop", "cushion" (dropped onto one), "low" (dropped from a hand's breadth), "knock" off a ledge
    paint: Paint
    other_paint: Paint  # of the cushion, the ledge or nothing
    ball_paint: Paint
    size: float  # m
    height: float  # m, of the lowest point above what it falls on
    tilt: float  # degrees
    drift: float  # m/s
    side: int


class Fragile(Family[FragileParameters]):
    name = "fragile"
    summary = "an egg breaks and a tomato does not, dropped or knocked"
    EVENTS = ("fall", "knock", "land", "break", "bounce", "roll")
    OUTCOMES = ("egg_breaks", "egg_survives", "tomato_survives")

    def draw(self, rng: np.random.Generator, seconds: float) -> FragileParameters:
        kind = "egg" if rng.random() < 0.68 else "tomato"
        chance = [0.27, 0.24, 0.2, 0.29] if kind == "egg" else [0.45, 0.1, 0.1, 0.35]
        cause = str(rng.choice(["drop", "cushion", "low", "knock"], p=chance))
        size = SIZE * float(rng.uniform(0.92, 1.12))
        # The fall takes a third of the take at most: sqrt(2 h / g) < 0.33 s for the shortest one.
        fall = float(rng.uniform(0.6, 0.95)) if seconds > 1.5 else float(rng.uniform(0.5, 0.7))
        height = {
            "drop": fall,
            "cushion": float(rng.uniform(0.25, 0.4)),
            "low": float(rng.uniform(0.02, 0.04)),
            "knock": 0.002,
        }[cause]
        colours = EGG_COLOURS if kind == "egg" else TOMATO_COLOURS
        weights = [0.4, 0.2, 0.1, 0.1, 0.1, 0.1] if kind == "egg" else [0.6, 0.15, 0.15, 0.1]
        colour = str(rng.choice(colours, p=weights))
        other, ball = draw_paints(rng, 2, materials=OPAQUE, avoid=("white", colour))
        return FragileParameters(
            kind=kind,
            cause=cause,
            paint=Paint(colour, "rubber" if kind == "egg" else "plastic"),
            other_paint=other,
            ball_paint=ball,
            size=size,
            height=height,
            tilt=0.0 if cause == "knock" else float(rng.uniform(-30, 30)),
            drift=float(rng.uniform(-0.3, 0.3)) if cause == "drop" else 0.0,
            side=int(rng.choice([-1, 1])),
        )

    def build(self, parameters: FragileParameters, look: Look) -> Scene:
        knock = parameters.cause == "knock"
        width, height = (1.7, 1.05) if knock else (1.15, 1.25)
        scene = Scene(
            look,
            Framing(
                centre=(0.16 * parameters.side if knock else 0, 0, 0.44),
                width=width,
                height=height,
                elevation=-14,
            ),
        )
        scene.section('<size nuserdata="1"/>')
        base, x = 0.0, 0.0
        if parameters.cause == "cushion":
            base = CUSHION
        elif knock:
            base, x = LEDGE, -0.1 * parameters.side
        self._add_main(scene, parameters, x, base)
        if parameters.kind == "egg":
            self._add_pieces(scene, parameters)
        material = scene.material(parameters.other_paint)
        if parameters.cause == "cushion":
            scene.raw(
                f'<body name="cushion"><geom type="ellipsoid" size="0.42 0.36 0.09" pos="0 0 {CUSHION - 0.085}" '
                f'material="{material}" contype="0" conaffinity="0"/>'
                # What carries is flat and soft: a spring slow enough to halve the force several times.
                f'<geom type="box" size="0.36 0.3 0.06" pos="0 0 {CUSHION - 0.065}" rgba="0 0 0 0" priority="3" '
                'friction="0.9 0.02 0.03" condim="6" solref="0.032 0.9"/></body>',
                "cushion", "cushion", parameters.other_paint, moving=False, size=0.42,
            )  # fmt: skip
        elif knock:
            middle = -parameters.side * 0.42
            scene.raw(
                f'<body name="ledge"><geom type="box" size="0.36 0.2 {LEDGE / 2}" pos="{middle} 0 {LEDGE / 2}" '
                f'material="{material}"/></body>',
                "ledge", "ledge", parameters.other_paint, moving=False, size=0.36,
            )  # fmt: skip
            scene.add(
                "ball", "ball", "sphere", [0.1], (-parameters.side * 0.66, 0, LEDGE + 0.1), parameters.ball_paint,
                density=2500, restitution=0.1,
            )  # fmt: skip
        return scene

    def _add_main(self, scene: Scene, parameters: FragileParameters, x: float, base: float) -> None:
        size, material = parameters.size, scene.material(parameters.paint)
        surface = f'priority="1" condim="6" friction="0.6 0.01 0.003" {bounce(0.12, scene.timestep)}'
        tilt = f"0 {parameters.tilt} 0"
        if parameters.kind == "egg":
            # An egg lies on its side on a ledge and stands when it is dropped.
            long, wide = size, 0.75 * size
            lying = parameters.cause in ("knock", "cushion")
            tilt = f"0 {90 + parameters.tilt / 2} 0" if lying else tilt
            z = base + parameters.height + (wide if lying else long)
            geoms = f'<geom name="whole" type="ellipsoid" size="{wide} {wide} {long}" material="{material}" density="450" {surface}/>'
        else:
            z = base + parameters.height + 0.88 * size
            surface = surface.replace("0.6 0.01 0.003", "0.6 0.01 0.015")
            surface = surface.replace(bounce(0.12, scene.timestep), bounce(0.35, scene.timestep))
            leaves = "".join(
                f'<geom type="capsule" size="{0.1 * size}" fromto="{vector((0, 0, 0.86 * size))} '
                f'{vector((0.42 * size * math.cos(a), 0.42 * size * math.sin(a), 0.86 * size))}" rgba="0.16 0.45 0.12 1" '
                'contype="0" conaffinity="0" density="0"/>'
                for a in np.arange(5) * 2 * math.pi / 5
            )
            geoms = (
                f'<geom name="whole" type="ellipsoid" size="{size} {size} {0.88 * size}" material="{material}" '
                f'density="450" {surface}/>{leaves}<geom type="capsule" size="{0.07 * size}" '
                f'fromto="0 0 {0.86 * size} 0.03 0 {1.12 * size}" rgba="0.2 0.4 0.12 1" contype="0" conaffinity="0" density="0"/>'
            )
        scene.raw(
            f'<body name="{parameters.kind}" pos="{x} 0 {z}" euler="{tilt}"><freejoint/>{geoms}</body>',
            parameters.kind, parameters.kind, parameters.paint, size=size,
        )  # fmt: skip

    def _add_pieces(self, scene: Scene, parameters: FragileParameters) -> None:
        """Yolk, white and four pieces of shell; they wait below the floor until the shell breaks."""
        size = parameters.size
        hidden = f'gravcomp="1" pos="0 0 {PARKED}"'
        loose = (
            'contype="4" conaffinity="1" priority="2" condim="4" friction="0.9 0.02 0.004" solref="0.02 1"'
        )
        scene.raw(
            f'<body name="yolk" {hidden}><freejoint/>'
            f'<geom name="yolk_hull" type="ellipsoid" size="{0.42 * size} {0.42 * size} {0.24 * size}" rgba="1 0.72 0.05 1" '
            f'density="400" {loose}/>'
            f'<geom name="white" type="ellipsoid" size="{1.1 * size} {0.95 * size} {0.09 * size}" '
            f'pos="0 0 {-0.17 * size}" rgba="0.97 0.95 0.88 0.75" contype="0" conaffinity="0" density="0"/></body>',
            "yolk", "yolk", Paint("yellow", "rubber"), size=0.42 * size,
        )  # fmt: skip
        material = scene.material(parameters.paint)
        scene._assets["shell"] = _shell(0.75 * size, size)
        for index in range(2):
            scene.raw(
                f'<body name="shell_{index + 1}" {hidden}><freejoint/>'
                f'<geom type="mesh" mesh="shell" material="{material}" contype="0" conaffinity="0" density="60"/>'
                f'<geom name="shell_{index + 1}_hull" type="ellipsoid" size="{0.6 * size} {0.6 * size} {0.3 * size}" pos="0 0 {0.42 * size}" rgba="0 0 0 0" '
                f'density="60" {loose}/></body>',
                f"shell_{index + 1}", "shell", parameters.paint, size=0.7 * size,
            )  # fmt: skip

    def start(self, parameters: FragileParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        if parameters.kind == "egg":
            # The floor is a half space: the waiting pieces must not touch it. The compiler saw their contact bits.
            for name in PIECES:
                model.geom_contype[model.geom(f"{name}_hull").id] = 0
                model.geom_conaffinity[model.geom(f"{name}_hull").id] = 0
        if parameters.cause in ("drop", "cushion"):
            data.joint(model.body(parameters.kind).jntadr[0]).qvel[0] = parameters.drift
        if parameters.cause == "knock":
            push = 2.0 if parameters.kind == "egg" else 1.5
            data.joint(model.body("ball").jntadr[0]).qvel[:] = (
                parameters.side * push, 0, 0, 0, parameters.side * push / 0.1, 0,
            )  # fmt: skip

    def drive(
        self, parameters: FragileParameters, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> None:
        if parameters.kind != "egg" or data.userdata[0]:
            return
        whole = model.geom("whole").id
        mass = model.body("egg").mass[0]
        for contact in data.contact[: data.ncon] if data.ncon else ():
            live = whole in contact.geom and contact.efc_address >= 0
            if live and data.efc_force[contact.efc_address] > STRENGTH * mass * 9.81:
                self._break(model, data, whole)
                return

    def _break(self, model: mujoco.MjModel, data: mujoco.MjData, whole: int) -> None:
        """Hides the whole egg where it is and lets its pieces go from there."""
        data.userdata[0] = 1.0
        model.geom_rgba[whole] = (0, 0, 0, 0)
        model.geom_contype[whole] = model.geom_conaffinity[whole] = 0
        egg = data.joint(model.body("egg").jntadr[0])
        place, turn, speed = egg.qpos[:3].copy(), egg.qpos[3:].copy(), egg.qvel[:3].copy()
        model.body_gravcomp[model.body("egg").id] = 1.0
        egg.qvel[:] = 0
        up = np.zeros(3)
        mujoco.mju_rotVecQuat(up, np.array([0.0, 0, 1]), turn)
        for index, name in enumerate(PIECES):
            body = model.body(name)
            model.body_gravcomp[body.id] = 0.0
            model.geom_contype[model.geom(f"{name}_hull").id] = 4
            model.geom_conaffinity[model.geom(f"{name}_hull").id] = 1
            joint = data.joint(body.jntadr[0])
            half = 0.0 if name == "yolk" else (1.0 if index == 1 else -1.0)
            joint.qpos[:3] = place
            joint.qpos[3:] = (1, 0, 0, 0)
            if half:
                flip = np.array([1.0, 0, 0, 0] if half > 0 else [0.0, 1, 0, 0])
                mujoco.mju_mulQuat(joint.qpos[3:], turn, flip)
            outward = half * up
            joint.qvel[:] = (
                0.4 * speed[0] + 0.9 * outward[0], 0.25 * half + 0.4 * speed[1], 0.35 * abs(half),
                0.0, 5.0 * half, 0.0,
            )  # fmt: skip

    def facts(self, parameters: FragileParameters, record: Record) -> Facts:
        main = parameters.kind
        events = []
        knock = record.touches(main, "ball") if parameters.cause == "knock" else []
        if knock:
            events.append(Event("knock", knock[0].frame, "ball", main))
        else:
            events.append(Event("fall", 0, main))
        under = "cushion" if parameters.cause == "cushion" else "floor"
        lands = record.touches(main, under)
        if lands:
            events.append(Event("land", lands[0].frame, main, under))
        broken = None
        if main == "egg":
            shown = np.flatnonzero(record.path("yolk")[:, 2] > PARKED / 2)
            broken = int(shown[0]) if len(shown) else None
        if broken is not None:
            events.append(Event("break", broken, main))
        outcome = (
            "tomato_survives" if main == "tomato" else "egg_survives" if broken is None else "egg_breaks"
        )
        cast = [main]
        cast += [name for name in ("ball", "ledge", "cushion") if any(t.name == name for t in record.things)]
        return Facts(
            cast=tuple(cast),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "kind": main,
                "cause": parameters.cause,
                "falls_from_ledge": bool(knock) and bool(lands),
                "direction": "right" if parameters.side > 0 else "left",
            },
        )


def _shell(wide: float, long: float) -> str:
    """Mesh asset of half an eggshell with a jagged rim, open below, both sides drawn."""
    around, rows = 16, 5
    vertices: list[tuple[float, float, float]] = []
    for scale in (1.0, 0.93):
        for row in range(rows + 1):
            for step in range(around):
                angle = 2 * math.pi * step / around
                jag = 0.16 * (step % 2) if row == 0 else 0.0
                rise = jag + row / rows * (math.pi / 2 - jag)
                vertices.append(
                    (
                        scale * wide * math.cos(rise) * math.cos(angle),
                        scale * wide * math.cos(rise) * math.sin(angle),
                        scale * long * math.sin(rise),
                    )
                )
    faces = []
    layer = (rows + 1) * around
    for row in range(rows):
        for step in range(around):
            a, b = row * around + step, row * around + (step + 1) % around
            c, d = a + around, b + around
            faces += [
                (a, b, d),
                (a, d, c),
                (layer + a, layer + d, layer + b),
                (layer + a, layer + c, layer + d),
            ]
    for step in range(around):
        a, b = step, (step + 1) % around
        faces += [(a, layer + b, b), (a, layer + a, layer + b)]
    return (
        f'<mesh name="shell" vertex="{" ".join(vector(v) for v in vertices)}" '
        f'face="{" ".join(" ".join(map(str, f)) for f in faces)}" inertia="shell"/>'
    )
