"""A cue ball runs over a green table: it strikes one ball, several, or none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import COLOURS, Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

RADIUS = 0.105  # m; larger than real, so that a ball is still seen in a small picture
HALF = (1.0, 0.62)  # m, of the cloth
TOP = 0.3  # m, height of the cloth
RAIL = (0.06, 0.12)  # m, half width and height above the cloth of the cushions, higher than a ball's centre
FENCE = 0.4  # m, height of the unseen wall on the cushions that keeps a hard shot on the table
NAMES = ("cue_ball", "ball", "second_ball", "third_ball", "fourth_ball", "fifth_ball", "sixth_ball")
TIMESTEP = 1 / 960
MOVED = 0.06  # m; a ball that gets this far from its place was set in motion


@dataclass(frozen=True)
class BilliardsParameters:
    plan: str  # "single", "cut", "line", "rack", "cushion" or "miss"
    cue: Paint
    balls: tuple[Paint, ...]
    wood: Paint
    cue_place: tuple[float, float]  # m on the cloth
    places: tuple[tuple[float, float], ...]  # m, of the other balls
    velocity: tuple[float, float]  # m/s
    restitution: float


class Billiards(Family[BilliardsParameters]):
    name = "billiards"
    summary = "a cue ball strikes one or more balls on a green table"
    EVENTS = ("shot", "hit", "cushion", "set_off")
    OUTCOMES = ("hits_one", "hits_several", "misses")

    def draw(self, rng: np.random.Generator, seconds: float) -> BilliardsParameters:
        plan = str(
            rng.choice(
                ["single", "cut", "cushion", "line", "rack", "miss"], p=[0.17, 0.17, 0.1, 0.14, 0.18, 0.24]
            )
        )
        side = int(rng.choice([-1, 1]))
        cue = np.array([-rng.uniform(0.5, 0.78), rng.uniform(-0.3, 0.3)])
        target = np.array([rng.uniform(0.08, 0.34), rng.uniform(-0.25, 0.25)])
        toward = (target - cue) / np.linalg.norm(target - cue)
        across = np.array([-toward[1], toward[0]])
        places = [target]
        aim = target
        if plan == "cut":
            aim = target + across * RADIUS * rng.choice([-1, 1]) * rng.uniform(0.7, 1.3)
        elif plan == "line":
            places += [
                target + toward * step * (2 * RADIUS + 0.012) for step in range(1, int(rng.integers(2, 4)))
            ]
        elif plan == "rack":
            target[1] *= 0.4
            for row in (1, 2):
                for place in range(row + 1):
                    shift = (row * math.sqrt(3), 2 * place - row)
                    places.append(target + (RADIUS + 0.004) * np.array(shift))
            places = places[: 3 if rng.random() < 0.4 else 6]
            aim = target + np.array([0, rng.uniform(-0.05, 0.05)])
        elif plan == "miss":
            aim = target + across * rng.choice([-1, 1]) * rng.uniform(2.7, 3.3) * RADIUS
            if rng.random() < 0.4:
                places.append(
                    np.array(
                        [
                            target[0] + rng.uniform(0.25, 0.4),
                            target[1] + math.copysign(rng.uniform(0.1, 0.22), target[1]),
                        ]
                    )
                )
        elif plan == "cushion":
            # Off the far cushion: aim at the target's mirror image behind the cushion's line.
            line = math.copysign(HALF[1] - RADIUS, -cue[1])
            target[1] = math.copysign(rng.uniform(0.0, 0.3), cue[1])
            aim = np.array([target[0], 2 * line - target[1]])
        gap = float(np.linalg.norm(aim - cue))
        time = float(rng.uniform(0.3, 0.4) if seconds < 1.4 else rng.uniform(0.4, 0.62))
        speed = min(gap / time, 3.6) if plan != "miss" else rng.uniform(1.4, 2.2)
        velocity = (aim - cue) / gap * speed
        mirror = np.array([side, 1])
        cue_paint = Paint("white", "plastic") if rng.random() < 0.7 else draw_paints(
            rng, 1, materials=("plastic", "marble"), avoid=("green", "brown")
        )[0]  # fmt: skip
        paints = draw_paints(
            rng, len(places), materials=("plastic",) * 3 + ("striped",), avoid=("green", cue_paint.colour)
        )
        return BilliardsParameters(
            plan=plan, cue=cue_paint, balls=paints,
            wood=Paint(str(rng.choice(["brown", "black", "orange"])), "wooden"),
            cue_place=_pair(cue * mirror), places=tuple(_pair(place * mirror) for place in places),
            velocity=_pair(velocity * mirror), restitution=float(rng.uniform(0.88, 0.94)),
        )  # fmt: skip

    def build(self, parameters: BilliardsParameters, look: Look) -> Scene:
        p = parameters
        framing = Framing(centre=(0, 0.0, TOP), width=2 * HALF[0] + 0.22, height=1.5, elevation=-42)
        scene = Scene(look, framing, timestep=TIMESTEP)
        for name, paint, (x, y) in zip(NAMES, (p.cue, *p.balls), (p.cue_place, *p.places), strict=False):
            scene.add(
                name, "cue_ball" if name == "cue_ball" else "ball", "sphere", [RADIUS], (x, y, TOP + RADIUS), paint,
                density=1500, restitution=p.restitution, friction=(0.12, 0.001, 0.0001),
            )  # fmt: skip
        wood = scene.material(p.wood)
        cloth = Paint("green", "rubber")
        green = vector([0.75 * part for part in COLOURS["green"]])
        rails = []
        for x, y, wide, deep in ((0, 1, HALF[0] + 2 * RAIL[0], RAIL[0]), (1, 0, RAIL[0], HALF[1])):
            for sign in (-1, 1):
                place = (sign * x * (HALF[0] + RAIL[0]), sign * y * (HALF[1] + RAIL[0]), RAIL[1] / 2)
                size = (wide, deep, RAIL[1] / 2)
                high = (*place[:2], FENCE / 2)
                rails.append(
                    f'<geom type="box" pos="{vector(place)}" size="{vector(size)}" material="{wood}"/>'
                    f'<geom type="box" pos="{vector(high)}" size="{wide} {deep} {FENCE / 2}" group="3"/>'
                )
        legs = "".join(
            f'<geom type="box" pos="{x * (HALF[0] - 0.05)} {y * (HALF[1] - 0.05)} {-TOP / 2 - 0.02}" '
            f'size="0.07 0.07 {TOP / 2 - 0.02}" material="{wood}"/>'
            for x in (-1, 1) for y in (-1, 1)
        )  # fmt: skip
        scene.raw(
            f'<body name="table" pos="0 0 {TOP}">'
            f'<geom type="box" pos="0 0 -0.04" size="{HALF[0]} {HALF[1]} 0.04" rgba="{green} 1" friction="0.2 0.001 0.0001"/>'
            f'<geom type="box" pos="0 0 -0.07" size="{HALF[0] + 2 * RAIL[0]} {HALF[1] + 2 * RAIL[0]} 0.05" material="{wood}"/>'
            f"{legs}</body>",
            "table", "table", cloth, moving=False, size=HALF[0],
        )  # fmt: skip
        scene.raw(f'<body name="cushions" pos="0 0 {TOP}">{"".join(rails)}</body>', "cushions", "cushion", p.wood,
                  moving=False, size=HALF[0])  # fmt: skip
        return scene

    def start(self, parameters: BilliardsParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        x, y = parameters.velocity
        data.joint(model.body("cue_ball").jntadr[0]).qvel[:] = (x, y, 0, -y / RADIUS, x / RADIUS, 0)

    def facts(self, parameters: BilliardsParameters, record: Record) -> Facts:
        names = NAMES[: 1 + len(parameters.balls)]
        events = [Event("shot", 0, "cue_ball")]
        for contact in record.contacts:
            pair = {contact.first, contact.second}
            if "table" in pair or "floor" in pair:
                continue
            if "cushions" in pair:
                events.append(Event("cushion", contact.frame, (pair - {"cushions"}).pop(), "cushions"))
            else:
                who, whom = sorted(pair, key=names.index)
                events.append(Event("hit", contact.frame, who, whom))
        moved = []
        for name in names[1:]:
            shift = np.linalg.norm(record.path(name) - record.path(name)[0], axis=1)
            if shift.max() > MOVED:
                moved.append(name)
                events.append(Event("set_off", int(np.argmax(shift > 0.01)), name))
        touched = [event.frame for event in events if event.key == "hit" and event.who == "cue_ball"]
        banked = [
            event for event in events
            if event.key == "cushion" and event.who == "cue_ball" and event.frame < min(touched, default=10**6)
        ]  # fmt: skip
        outcome = "misses" if not touched else "hits_several" if len(moved) > 1 else "hits_one"
        return Facts(
            cast=(*names, "table"),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "count": len(names) - 1,
                "moved": len(moved),
                "rack": parameters.plan == "rack",
                "line": parameters.plan == "line",
                "cushion_first": bool(banked and touched),
                # What reaches the cushion in the last frame has not come back.
                "cushions": sum(
                    event.key == "cushion" and event.who == "cue_ball" and event.frame < record.num_frames - 1
                    for event in events
                ),
                "direction": "right" if parameters.velocity[0] > 0 else "left",
            },
        )


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
