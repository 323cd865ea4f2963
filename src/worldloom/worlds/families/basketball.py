"""A ball is thrown at a hoop with a backboard: clean through, off the board, off the rim, or past it all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

GRAVITY = 9.81
RIM_HEIGHT = 1.5  # m, of the rim's plane
RIM_X = 0.62  # m, of the rim's centre before mirroring
RIM_RADIUS = 0.28  # m, to the middle of the tube
TUBE = 0.022  # m, radius of the rim's tube
BOARD_X = RIM_X + RIM_RADIUS + 0.09  # m, of the board's front face
BOARD_HALF = (0.025, 0.52, 0.36)
BALL_RADIUS = 0.145
SEGMENTS = 24
NET_DEPTH = 0.36  # m
NET_DRAG = np.array([9.0, 9.0, 5.0])  # 1/s along x, y, z
TIMESTEP = 1 / 800


@dataclass(frozen=True)
class BasketballParameters:
    ball: Paint
    hoop: Paint
    board: Paint
    pole: Paint
    plan: str  # what the shot aims at; physics decides what comes of it
    side: int  # +1: hoop on the right, -1: on the left
    start: tuple[float, float, float]  # m
    velocity: tuple[float, float, float]  # m/s
    spin: float  # rad/s, backspin
    restitution: float


class Basketball(Family[BasketballParameters]):
    name = "basketball"
    summary = "a ball is thrown at a hoop: swish, bank, rim or miss"
    EVENTS = ("throw", "hit_board", "hit_rim", "score", "land")
    OUTCOMES = ("swish", "bank", "rim_in", "rim_out", "miss")

    def draw(self, rng: np.random.Generator, seconds: float) -> BasketballParameters:
        plan = str(
            rng.choice(["swish", "bank", "rim_in", "front_rim", "back_rim", "short", "wide"],
                       p=[0.22, 0.15, 0.17, 0.18, 0.06, 0.11, 0.11])
        )  # fmt: skip
        flight = float(rng.uniform(0.46, 0.56) if seconds < 1.4 else rng.uniform(0.58, 0.8))
        side = int(rng.choice([-1, 1]))
        colours = draw_paints(rng, 3, materials=("rubber", "plastic", "dotted", "striped", "wooden"))
        hoop, pole = draw_paints(
            rng, 2, materials=("metal", "plastic"), avoid=(colours[0].colour, "white", "brown")
        )
        board = draw_paints(
            rng, 1, materials=("plastic", "glass", "wooden"), avoid=(colours[0].colour, hoop.colour)
        )[0]
        if rng.random() < 0.5 and colours[0].colour != "white":
            board = Paint("white", "plastic")
        restitution = float(rng.uniform(0.68, 0.76))
        # A short take begins in mid-flight: nearer and higher, or the arc would be too flat to drop through the rim.
        start = np.array([rng.uniform(-1.15, -0.8), rng.uniform(-0.05, 0.05), rng.uniform(1.0, 1.25)])
        if seconds < 1.4:
            start += (0.4, 0, 0.4)
        velocity = _shot(rng, plan, start, flight, restitution)
        return BasketballParameters(
            ball=colours[0], hoop=hoop, board=board, pole=pole, plan=plan, side=side,
            start=(float(side * start[0]), float(start[1]), float(start[2])),
            velocity=(float(side * velocity[0]), float(velocity[1]), float(velocity[2])),
            spin=float(rng.uniform(2, 7)), restitution=restitution,
        )  # fmt: skip

    def build(self, parameters: BasketballParameters, look: Look) -> Scene:
        side = parameters.side
        framing = Framing(
            centre=(0.02 * side, 0, 1.16), width=2.5, height=2.42, azimuth=90 - 30 * side, elevation=-9
        )
        scene = Scene(look, framing, timestep=TIMESTEP)
        scene.add("ball", "ball", "sphere", [BALL_RADIUS], parameters.start, parameters.ball,
                  density=180, restitution=parameters.restitution, friction=(0.35, 0.01, 0.001))  # fmt: skip
        scene.section(f"<asset>{_torus()}{_net()}</asset>")
        hoop, board = scene.material(parameters.hoop), scene.material(parameters.board)
        rim_x, board_x = side * RIM_X, side * (BOARD_X + BOARD_HALF[0])
        arm = (BOARD_X - RIM_X - RIM_RADIUS) / 2
        scene.raw(
            f'<body name="hoop" pos="{rim_x} 0 {RIM_HEIGHT}">{_rim()}'
            f'<geom type="mesh" mesh="torus" material="{hoop}" contype="0" conaffinity="0"/>'
            f'<geom type="mesh" mesh="net" rgba="0.96 0.96 0.94 1" contype="0" conaffinity="0"/>'
            f'<geom type="box" pos="{side * (RIM_RADIUS + arm)} 0 0" size="{arm} 0.06 0.02" material="{hoop}"/></body>',
            "hoop", "hoop", parameters.hoop, moving=False, size=RIM_RADIUS,
        )  # fmt: skip
        wide, high = BOARD_HALF[1] - 0.02, BOARD_HALF[2] - 0.02
        frame = "".join(
            f'<geom type="box" pos="{-side * (BOARD_HALF[0] + 0.002)} {y} {z}" size="0.004 {w} {h}" material="{hoop}" '
            'contype="0" conaffinity="0"/>'
            for y, z, w, h in ((0, 0.02, 0.17, 0.014), (0, -0.22, 0.17, 0.014),
                               (-0.17, -0.1, 0.014, 0.134), (0.17, -0.1, 0.014, 0.134),
                               (0, high, wide, 0.02), (0, -high, wide, 0.02), (wide, 0, 0.02, high), (-wide, 0, 0.02, high))
        )  # fmt: skip
        scene.raw(
            f'<body name="backboard" pos="{board_x} 0 {RIM_HEIGHT + 0.3}">'
            f'<geom type="box" size="{vector(BOARD_HALF)}" material="{board}"/>{frame}</body>',
            "backboard", "backboard", parameters.board, moving=False, size=BOARD_HALF[1],
        )  # fmt: skip
        pole = scene.material(parameters.pole)
        scene.raw(
            f'<body name="pole" pos="{board_x + side * 0.16} 0 0">'
            f'<geom type="cylinder" pos="0 0 0.88" size="0.05 0.88" material="{pole}"/>'
            f'<geom type="cylinder" pos="0 0 0.02" size="0.2 0.02" material="{pole}"/>'
            f'<geom type="box" pos="{-side * 0.07} 0 {RIM_HEIGHT + 0.22}" size="0.07 0.04 0.04" material="{pole}"/></body>',
            "pole", "pole", parameters.pole, moving=False, size=1.7,
        )  # fmt: skip
        return scene

    def start(self, parameters: BasketballParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        spin = (0, -parameters.side * parameters.spin, 0)
        data.joint(model.body("ball").jntadr[0]).qvel[:] = (*parameters.velocity, *spin)

    def drive(
        self, parameters: BasketballParameters, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> None:
        """The net's cords, which have no contact of their own, slow a ball inside them as a real net does."""
        ball = model.body("ball").id
        x, y, z = data.xpos[ball]
        inside = RIM_HEIGHT - NET_DEPTH - 0.1 < z < RIM_HEIGHT - 0.03
        inside &= math.hypot(x - parameters.side * RIM_X, y) < RIM_RADIUS
        velocity = data.qvel[:3]
        data.xfrc_applied[ball, :3] = -model.body_mass[ball] * NET_DRAG * velocity if inside else 0

    def facts(self, parameters: BasketballParameters, record: Record) -> Facts:
        events = [Event("throw", 0, "ball")]
        path = record.path("ball")
        scored = _through(path, parameters.side)
        last = scored if scored is not None else record.num_frames
        rim = [c for c in record.touches("ball", "hoop") if c.frame <= last]
        board = [c for c in record.touches("ball", "backboard") if c.frame <= last]
        floor = record.touches("ball", "floor")
        events += [Event("hit_rim", c.frame, "ball", "hoop") for c in rim]
        events += [Event("hit_board", c.frame, "ball", "backboard") for c in board]
        if scored is not None:
            events.append(Event("score", scored, "ball", "hoop"))
        events += [Event("land", c.frame, "ball", "floor") for c in floor[:1]]
        if scored is not None:
            outcome = "bank" if board else "rim_in" if rim else "swish"
        else:
            outcome = "rim_out" if rim else "miss"
        # At the hoop when the take ends, it may still go in.
        x, y, z = path[-1]
        over = z >= RIM_HEIGHT and math.hypot(x - parameters.side * RIM_X, y) < RIM_RADIUS + BALL_RADIUS
        return Facts(
            cast=("ball", "hoop", "backboard", "pole"),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "scored": scored is not None,
                "direction": "right" if parameters.side > 0 else "left",
                "rim_hits": len(rim),
                "board_hits": len(board),
                "airball": scored is None and not rim and not board,
                "undecided": bool(scored is None and over),
                # What comes down in the last frame has not come up again.
                "floor_bounces": sum(c.frame < record.num_frames - 1 for c in floor),
            },
        )


def _through(path: np.ndarray, side: int) -> int | None:
    """First frame with the ball below the rim after its centre crossed the rim's plane downward inside the rim."""
    for frame in range(1, len(path)):
        above, below = path[frame - 1], path[frame]
        if above[2] >= RIM_HEIGHT > below[2]:
            share = (above[2] - RIM_HEIGHT) / (above[2] - below[2])
            x, y = (above + share * (below - above))[:2]
            if math.hypot(x - side * RIM_X, y) < RIM_RADIUS - 0.3 * BALL_RADIUS:
                return frame
    return None


def _shot(
    rng: np.random.Generator, plan: str, start: np.ndarray, flight: float, restitution: float
) -> np.ndarray:
    """Velocity (m/s) of a throw that reaches the plan's aim `flight` seconds later."""
    aim = np.array([RIM_X, 0.0, RIM_HEIGHT])
    if plan == "swish":
        aim += (rng.uniform(-0.03, 0.04), rng.uniform(-0.03, 0.03), 0)
    elif plan == "rim_in":
        aim += (rng.uniform(0.10, 0.17), rng.uniform(-0.04, 0.04), 0)
    elif plan == "front_rim":
        aim += (-rng.uniform(0.26, 0.36), rng.uniform(-0.04, 0.04), 0.1)
    elif plan == "back_rim":
        aim += (rng.uniform(0.24, 0.28), rng.uniform(-0.04, 0.04), 0.1)
    elif plan == "short":
        aim += (-rng.uniform(0.62, 0.85), rng.uniform(-0.05, 0.05), 0)
    elif plan == "wide":
        aim += (rng.uniform(-0.2, 0.1), rng.choice([-1, 1]) * rng.uniform(0.55, 0.7), 0)
    else:
        return _bank(rng, start, flight, restitution)
    return _arc(start, aim, flight)


def _arc(start: np.ndarray, aim: np.ndarray, flight: float) -> np.ndarray:
    """Ballistic launch velocity from start to aim in `flight` seconds: (aim - start) / t + g t / 2."""
    return (aim - start) / flight + np.array([0, 0, GRAVITY * flight / 2])


def _bank(rng: np.random.Generator, start: np.ndarray, flight: float, restitution: float) -> np.ndarray:
    """Throw at the board so that the rebound's centre falls through the rim's centre."""
    touch = np.array([BOARD_X - BALL_RADIUS, rng.uniform(-0.03, 0.03), 0.0])
    back = touch[0] - RIM_X + rng.uniform(-0.05, 0.05)
    low, high = RIM_HEIGHT, RIM_HEIGHT + 1.2
    for _ in range(40):
        touch[2] = (low + high) / 2
        velocity = _arc(start, touch, flight)
        time = back / (restitution * velocity[0])
        fall = velocity[2] - GRAVITY * flight
        height = touch[2] + fall * time - GRAVITY * time**2 / 2
        low, high = (touch[2], high) if height < RIM_HEIGHT else (low, touch[2])
    return _arc(start, touch, flight)


def _rim() -> str:
    """The rim's collision shape: capsules around the circle, drawn by the torus instead (group 3 is hidden)."""
    angles = np.linspace(0, 2 * np.pi, SEGMENTS + 1)
    points = RIM_RADIUS * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    return "".join(
        f'<geom type="capsule" fromto="{vector(one)} {vector(two)}" size="{TUBE}" group="3"/>'
        for one, two in pairwise(points)
    )


def _torus() -> str:
    """Mesh asset of the rim's tube."""
    rings, sides = 32, 8
    vertices, faces = [], []
    for ring in range(rings):
        turn = 2 * math.pi * ring / rings
        for part in range(sides):
            angle = 2 * math.pi * part / sides
            out = RIM_RADIUS + TUBE * math.cos(angle)
            vertices.append((out * math.cos(turn), out * math.sin(turn), TUBE * math.sin(angle)))
            here, beside = ring * sides + part, ring * sides + (part + 1) % sides
            there, across = (here + sides) % (rings * sides), (beside + sides) % (rings * sides)
            faces += [(here, there, beside), (beside, there, across)]
    return _mesh("torus", vertices, faces)


def _net() -> str:
    """Mesh asset of a net of crossing cords, a taper of three rows of diamonds, each cord a three-sided prism."""
    rows, cords, thick = 3, 12, 0.007
    vertices: list[tuple[float, float, float]] = []
    faces: list[tuple[int, int, int]] = []

    def knot(row: int, step: float) -> np.ndarray:
        radius = (RIM_RADIUS - 0.01) * (1 - 0.4 * (row / rows) ** 0.8)
        turn = 2 * math.pi * (step + 0.5 * (row % 2)) / cords
        return np.array([radius * math.cos(turn), radius * math.sin(turn), -NET_DEPTH * row / rows])

    for row in range(rows):
        for cord in range(cords):
            lean = -1 if row % 2 == 0 else 1
            for one, two in (
                (knot(row, cord), knot(row + 1, cord)),
                (knot(row, cord), knot(row + 1, cord + lean)),
            ):
                base = len(vertices)
                outward = np.array([one[0], one[1], 0]) / np.linalg.norm(one[:2])
                aside = np.cross(two - one, outward)
                aside /= np.linalg.norm(aside)
                for end in (one, two):
                    for angle in (0, 2 * math.pi / 3, 4 * math.pi / 3):
                        vertices.append(
                            tuple(end + thick * (math.cos(angle) * outward + math.sin(angle) * aside))
                        )
                for part in range(3):
                    a, b = base + part, base + (part + 1) % 3
                    faces += [(a, b, a + 3), (b, b + 3, a + 3)]
    return _mesh("net", vertices, faces)


def _mesh(name: str, vertices: list, faces: list) -> str:
    points = " ".join(vector(vertex) for vertex in vertices)
    corners = " ".join(f"{a} {b} {c}" for a, b, c in faces)
    return f'<mesh name="{name}" vertex="{points}" face="{corners}" inertia="shell"/>'
