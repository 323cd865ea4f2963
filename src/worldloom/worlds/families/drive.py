"""A small car on a plain with traffic cones, steered and throttled by actions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

LENGTH, WIDTH, WHEEL = 0.30, 0.15, 0.062  # m: half length, half width, wheel radius
AXLE = 0.19  # m from the middle of the car to an axle
TURNED = 22.0  # degrees of heading that count as a turn
RAMP = 0.3  # share of the take over which the throttle changes
STILL = 0.12  # m/s
PLANS = ("straight", "left", "right", "brake", "crash")
CONE = Paint("orange", "plastic")


@dataclass(frozen=True)
class DriveParameters:
    plan: str  # which commands are given, not what happens
    paint: Paint
    heading: float  # degrees the car points to at the start: 0 right, 90 away from the camera, 180 left
    speed: float  # m/s at the start
    target_speed: float  # m/s asked for after `moment`
    steer: float  # degrees of the front wheels after `moment`, positive left
    moment: float  # s
    seconds: float
    cones: tuple[tuple[float, float], ...]
    cabin: float  # m, where the cabin sits along the car


class Drive(Family[DriveParameters]):
    """Actions are (steering angle in degrees, positive left; wheel speed asked for in m/s)."""

    name = "drive"
    summary = "a small car is steered and throttled: straight on, left, right, braking, into a cone"
    EVENTS = ("drive", "turn_left", "turn_right", "brake", "stop", "hit")
    OUTCOMES = ("goes_straight", "turns_left", "turns_right", "stops", "hits_cone")

    def draw(self, rng: np.random.Generator, seconds: float) -> DriveParameters:
        plan = str(rng.choice(PLANS))
        paint = draw_paints(rng, 1, materials=("plastic", "metal"), avoid=("orange", "grey"))[0]
        heading = float(rng.choice([0, 180, 90, -90], p=[0.36, 0.36, 0.18, 0.1]) + rng.uniform(-8, 8))
        pace = 1 / max(seconds, 0.6)
        speed = float(rng.uniform(1.28, 1.42)) * pace
        moment = float(rng.uniform(0.18, 0.28)) * min(seconds, 3.0)
        steer = {"left": 1.0, "right": -1.0}.get(plan, 0.0) * float(rng.uniform(24, 30))
        forward = np.array([math.cos(math.radians(heading)), math.sin(math.radians(heading))])
        across = np.array([-forward[1], forward[0]])
        # Cones stand beside the lane and behind its end; a crash has one in the lane as well.
        spots = [
            along * forward + side * float(rng.uniform(0.42, 0.55)) * across
            for along, side in zip(
                rng.permutation([-0.45, 0.05, 0.5])[: int(rng.integers(1, 4))],
                rng.choice([-1, 1], 3),
                strict=False,
            )
        ]
        if plan in ("left", "right"):
            side = math.copysign(1.0, steer)
            spots = [spot for spot in spots if spot @ across * side < 0][:2]
        if plan == "crash":
            spots.append(float(rng.uniform(0.22, 0.36)) * forward + float(rng.uniform(-0.05, 0.05)) * across)
        return DriveParameters(
            plan=plan,
            paint=paint,
            heading=heading,
            speed=speed,
            target_speed=0.0 if plan == "brake" else speed * float(rng.uniform(1.0, 1.15)),
            steer=steer,
            moment=moment,
            seconds=seconds,
            cones=tuple((float(x), float(y)) for x, y in spots),
            cabin=float(rng.uniform(-0.08, 0.02)),
        )

    def build(self, parameters: DriveParameters, look: Look) -> Scene:
        scene = Scene(look, Framing(centre=(0, 0, 0.12), width=1.75, height=1.2, elevation=-26))
        # Wheels and joints are soft enough for half the usual rate, which pays for the twelve bodies.
        scene.timestep = 1 / 240
        self._add_car(scene, parameters)
        for index, (x, y) in enumerate(parameters.cones):
            # Only the cone in the lane can be hit; the others are bolted down and cost no contacts.
            struck = parameters.plan == "crash" and index == len(parameters.cones) - 1
            self._add_cone(scene, f"cone_{index + 1}", x, y, free=struck)
        joints = ("front_left", "front_right")
        steering = "".join(
            f'<position name="steer_{name}" joint="steer_{name}" kp="6" kv="0.25" forcerange="-3 3"/>'
            for name in joints
        )
        rolling = "".join(
            f'<velocity name="roll_{name}" joint="roll_{name}" kv="0.12" forcerange="-1.2 1.2"/>'
            for name in (*joints, "rear_left", "rear_right")
        )
        scene.section(f"<actuator>{steering}{rolling}</actuator>")
        return scene

    def _add_car(self, scene: Scene, parameters: DriveParameters) -> None:
        skin = scene.material(parameters.paint)
        still = 'contype="0" conaffinity="0" density="0"'
        glass, dark = 'rgba="0.55 0.72 0.82 1"', 'rgba="0.09 0.09 0.1 1"'
        front, cabin = LENGTH, parameters.cabin
        forward = math.radians(parameters.heading)
        start = -0.7
        wheels = ""
        for end, along in (("front", AXLE), ("rear", -AXLE)):
            for side, across in (("left", WIDTH), ("right", -WIDTH)):
                name = f"{end}_{side}"
                turn = (
                    f'<joint name="steer_{name}" type="hinge" axis="0 0 1" range="-38 38" damping="0.02" armature="0.002"/>'
                    if end == "front"
                    else ""
                )
                wheels += (
                    f'<body name="{name}" pos="{along} {across} {WHEEL}">{turn}'
                    f'<joint name="roll_{name}" type="hinge" axis="0 1 0" damping="0.001" armature="0.0005"/>'
                    f'<geom type="ellipsoid" size="{WHEEL} {0.03} {WHEEL}" {dark} density="900" friction="1.4 0.01 0.0001" '
                    f'priority="2" condim="3"/>'
                    f'<geom type="cylinder" size="0.028 0.031" euler="90 0 0" rgba="0.82 0.82 0.84 1" {still}/></body>'
                )
        scene.raw(
            f'<body name="car" pos="{start * math.cos(forward)} {start * math.sin(forward)} 0" '
            f'euler="0 0 {parameters.heading}"><freejoint/>'
            f'<geom type="box" size="{front} {WIDTH} 0.05" pos="0 0 0.10" material="{skin}" density="320" '
            'friction="0.3 0.01 0.001"/>'
            f'<geom type="box" size="0.15 {WIDTH * 0.86} 0.05" pos="{cabin} 0 0.195" {glass} {still}/>'
            f'<geom type="box" size="0.135 {WIDTH * 0.88} 0.012" pos="{cabin} 0 0.25" material="{skin}" {still}/>'
            f'<geom type="box" size="0.012 {WIDTH * 0.88} 0.048" pos="{cabin} 0 0.195" material="{skin}" {still}/>'
            + "".join(
                f'<geom type="sphere" size="0.024" pos="{front} {side * 0.1} 0.11" rgba="1 0.97 0.75 1" {still}/>'
                f'<geom type="box" size="0.008 0.03 0.016" pos="{-front} {side * 0.1} 0.12" rgba="0.85 0.05 0.05 1" {still}/>'
                for side in (-1, 1)
            )
            + f"{wheels}</body>",
            "car", "car", parameters.paint, size=LENGTH,
        )  # fmt: skip

    def _add_cone(self, scene: Scene, name: str, x: float, y: float, free: bool) -> None:
        orange = scene.material(CONE)
        still = 'contype="0" conaffinity="0" density="0"'
        rings = "".join(
            f'<geom type="cylinder" size="{0.08 - 0.014 * step:.3f} 0.025" pos="0 0 {0.045 + 0.05 * step}" '
            + (f'rgba="0.96 0.96 0.96 1" {still}/>' if step == 2 else f'material="{orange}" density="120"/>')
            for step in range(5)
        )
        scene.raw(
            f'<body name="{name}" pos="{vector((x, y, 0.001))}">{"<freejoint/>" if free else ""}'
            f'<geom type="box" size="0.105 0.105 0.01" pos="0 0 0.01" material="{orange}" density="250"/>{rings}</body>',
            name, "cone", CONE, moving=free, size=0.13,
        )  # fmt: skip

    def start(self, parameters: DriveParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        forward = math.radians(parameters.heading)
        joint = data.joint(model.body("car").jntadr[0])
        joint.qvel[:3] = parameters.speed * math.cos(forward), parameters.speed * math.sin(forward), 0
        for end in ("front", "rear"):
            for side in ("left", "right"):
                data.joint(f"roll_{end}_{side}").qvel[:] = parameters.speed / WHEEL

    def drive(
        self, parameters: DriveParameters, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> tuple[float, float]:
        active = time >= parameters.moment
        steer = parameters.steer if active else 0.0
        speed = parameters.speed
        if active:
            share = min(1.0, (time - parameters.moment) / (RAMP * parameters.seconds))
            speed += (parameters.target_speed - parameters.speed) * share
        data.ctrl[:2] = math.radians(steer)
        data.ctrl[2:6] = speed / WHEEL
        return round(steer, 3), round(speed, 4)

    def facts(self, parameters: DriveParameters, record: Record) -> Facts:
        heading = _heading(record)
        speed = np.linalg.norm(record.velocity[:, record.index("car"), :2], axis=1)
        turn = heading[-1] - heading[0]
        events = [Event("drive", 0, "car")]
        bends = np.flatnonzero(np.abs(heading - heading[0]) > 6)
        if abs(turn) > TURNED:
            events.append(Event("turn_left" if turn > 0 else "turn_right", int(bends[0]), "car"))
        slow = np.flatnonzero(speed < 0.75 * speed[0])
        halt = np.flatnonzero(speed < STILL)
        hits = [contact for contact in record.touches("car") if "cone" in contact.first + contact.second]
        if hits:
            struck = hits[0].second if hits[0].first == "car" else hits[0].first
            events.append(Event("hit", hits[0].frame, "car", struck))
        if len(halt):
            if len(slow) and not hits:
                events.append(Event("brake", int(slow[0]), "car"))
            events.append(Event("stop", int(halt[0]), "car"))
        outcome = "goes_straight"
        if hits:
            outcome = "hits_cone"
        elif len(halt):
            outcome = "stops"
        elif abs(turn) > TURNED:
            outcome = "turns_left" if turn > 0 else "turns_right"
        cones = [thing.name for thing in record.things if thing.noun == "cone"]
        return Facts(
            cast=("car", *cones),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "direction": _direction(parameters.heading),
                "cones": len(cones),
                "turn_degrees": round(abs(float(turn))),
                "stops": bool(len(halt)),
            },
        )


def _heading(record: Record) -> np.ndarray:
    """Yaw of the car per frame in degrees, unwrapped, [F]."""
    w, x, y, z = record.quaternion[:, record.index("car")].T
    return np.degrees(np.unwrap(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))))


def _direction(heading: float) -> str:
    """Where in the picture the car heads at the start."""
    return ("right", "away", "left", "toward")[round(heading / 90) % 4]
