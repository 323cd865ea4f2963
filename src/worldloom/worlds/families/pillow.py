"""Something heavy settles into a pillow, dents it, and stays, rolls off, or is lifted away."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import MATERIALS, Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

OPAQUE = tuple(name for name, surface in MATERIALS.items() if surface.alpha == 1)
HALF = (0.52, 0.38)  # m, half length and half depth of the pillow
THICK, SEAM = 0.25, 0.10  # m: height in the middle and at the seam
CELLS, FINE = 9, 3  # cells along a side; drawn squares per cell
STIFF, COUPLING, DAMPING, MASS = 70.0, 90.0, 4.0, 0.05  # N/m, N/m, N s/m, kg of one cell
SUNK, LIFT = 0.25, 0.42  # m: where the rope goes taut, how far it is drawn in
PLANS = ("stay", "roll", "lift")


@dataclass(frozen=True)
class PillowParameters:
    plan: str  # which causes are laid out
    shape: str  # "ball", "box" or "cylinder"
    paint: Paint
    pillow_paint: Paint
    size: float  # m
    density: float  # kg/m3
    drop: float  # m above the pillow
    x: float
    speed: float  # m/s along x
    lift_time: float  # s
    lift_speed: float  # m/s at which the rope is drawn in


class Pillow(Family[PillowParameters]):
    """A grid of cells on damped vertical springs, each pulled along by its neighbours, under one drawn skin."""

    name = "pillow"
    summary = "something heavy settles into a soft pillow and stays, rolls off, or is lifted away"
    EVENTS = ("fall", "land", "sink", "roll_off", "lift")
    OUTCOMES = ("stays", "rolls_off", "lifted_off")

    def draw(self, rng: np.random.Generator, seconds: float) -> PillowParameters:
        plan = str(rng.choice(PLANS, p=[0.36, 0.32, 0.32]))
        paints = draw_paints(rng, 2, materials=OPAQUE)
        side = int(rng.choice([-1, 1]))
        rolls = plan == "roll"
        pace = min(max(1.8 / max(seconds, 0.5), 0.8), 1.6)
        return PillowParameters(
            plan=plan,
            shape="ball" if rolls else str(rng.choice(["ball", "box", "cylinder"], p=[0.46, 0.3, 0.24])),
            paint=paints[0],
            pillow_paint=Paint(
                paints[1].colour, str(rng.choice(["rubber", "striped", "dotted"], p=[0.5, 0.25, 0.25]))
            ),
            size=float(rng.uniform(0.13, 0.17)),
            density=float(rng.uniform(200, 320) if rolls else rng.uniform(450, 800)),
            drop=float(rng.uniform(0.03, 0.08)) if rolls else float(rng.uniform(0.12, 0.34)),
            x=-side * float(rng.uniform(0.18, 0.26)) if rolls else float(rng.uniform(-0.04, 0.04)),
            speed=side * pace * float(rng.uniform(1.0, 1.2)) if rolls else 0.0,
            lift_time=float(rng.uniform(0.42, 0.5)) * max(seconds, 0.9),
            lift_speed=0.42 / (0.34 * max(seconds, 0.9)),
        )

    def build(self, parameters: PillowParameters, look: Look) -> Scene:
        scene = Scene(look, Framing(centre=(0, 0, 0.34), width=1.35, height=1.05, elevation=-20))
        size = parameters.size
        shape, half = {
            "ball": ("sphere", [size]),
            "box": ("box", [size * 0.95, size * 0.95, size * 0.8]),
            "cylinder": ("cylinder", [size * 0.9, size * 0.85]),
        }[parameters.shape]
        rise = half[-1]
        top = float(_height(np.array(parameters.x / (0.9 * HALF[0])), np.array(0.0)))
        rope = f'<site name="hook" pos="0 0 {rise:.4f}"/>' if parameters.plan == "lift" else ""
        scene.raw(
            f'<body name="weight" pos="{parameters.x} 0 {top + parameters.drop + rise}"><freejoint/>'
            f'<geom type="{shape}" size="{vector(half)}" material="{scene.material(parameters.paint)}" '
            f'density="{parameters.density}" contype="1" conaffinity="3" priority="1" condim="6" '
            f'friction="0.6 0.01 {0.004 if parameters.plan == "roll" else 0.02}" solref="0.02 1"/>{rope}</body>',
            "weight", parameters.shape, parameters.paint, size=size,
        )  # fmt: skip
        self._add_pillow(scene, parameters)
        if rope:
            scene.decor('<site name="crane" pos="0 0 3"/>')
            scene.section(
                '<tendon><spatial name="rope" width="0.008" rgba="0.25 0.2 0.15 1"><site site="crane"/>'
                '<site site="hook"/></spatial></tendon>'
            )
        return scene

    def _add_pillow(self, scene: Scene, parameters: PillowParameters) -> None:
        spots = _nodes()
        cells = "".join(
            f'<body name="cell_{index}" pos="{vector(spot)}"><joint type="slide" axis="0 0 1" stiffness="{STIFF}" '
            f'damping="{DAMPING}"/><geom type="sphere" size="0.05" pos="0 0 -0.05" mass="{MASS}" group="3" contype="2" '
            'conaffinity="0"/></body>'
            for index, spot in enumerate(spots)
        )
        scene.raw(
            f'<body name="pillow"><geom type="box" size="{0.8 * HALF[0]} {0.8 * HALF[1]} 0.02" pos="0 0 0.02" group="3" '
            f'contype="2" conaffinity="0"/>{cells}</body>',
            "pillow", "pillow", parameters.pillow_paint, moving=True, size=HALF[0],
        )  # fmt: skip
        scene.section(_skin(_cloth(scene, parameters.pillow_paint)))

    def start(self, parameters: PillowParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        data.qvel[:6] = parameters.speed, 0, 0, 0, 0.5 * parameters.speed / parameters.size, 0

    def drive(
        self, parameters: PillowParameters, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> None:
        # Every cell is drawn towards the mean of its neighbours; the rim is sewn down.
        sunk = np.zeros((CELLS + 2, CELLS + 2))
        sunk[1:-1, 1:-1] = data.qpos[7:].reshape(CELLS, CELLS)
        around = sunk[:-2, 1:-1] + sunk[2:, 1:-1] + sunk[1:-1, :-2] + sunk[1:-1, 2:]
        data.qfrc_applied[6:] = COUPLING * (around - 4 * sunk[1:-1, 1:-1]).ravel()
        if parameters.plan == "lift":
            # The rope is slack until it is drawn in, then carries the weight up to LIFT and holds it there.
            late = time - parameters.lift_time
            weight = model.body("weight")
            rise = min(parameters.lift_speed * late, LIFT)
            pull = 9.81 + 220 * (SUNK + rise - data.qpos[2]) - 28 * data.qvel[2]
            data.xfrc_applied[weight.id, 2] = max(pull, 0.0) * weight.mass[0] if late > 0 else 0.0

    def facts(self, parameters: PillowParameters, record: Record) -> Facts:
        path = record.path("weight")
        events = [Event("fall", 0, "weight")]
        touches = record.touches("weight", "pillow")
        dent = np.zeros(record.num_frames)
        inside = (np.abs(path[:, 0]) < 0.88 * HALF[0]) & (np.abs(path[:, 1]) < 0.88 * HALF[1])
        rest = np.asarray(_height(path[:, 0] / (0.9 * HALF[0]), path[:, 1] / (0.9 * HALF[1])))
        rise = {"ball": 1.0, "box": 0.8, "cylinder": 0.85}[parameters.shape] * parameters.size
        dent[inside] = np.maximum(rest - (path[:, 2] - rise), 0)[inside]
        if touches:
            events.append(Event("land", touches[0].frame, "weight", "pillow"))
        if dent.max() > 0.01:
            deep = np.flatnonzero(dent > 0.6 * dent.max())
            events.append(Event("sink", int(deep[0]), "weight", "pillow"))
        outcome = "stays"
        off = np.flatnonzero(~inside)
        clear = np.flatnonzero(
            (path[:, 2] - rise > rest + 0.03)
            & (np.arange(record.num_frames) > (touches[0].frame + 3 if touches else 0))
        )
        if len(off) and not inside[-1]:
            outcome = "rolls_off"
            events.append(Event("roll_off", int(off[0]), "weight", "pillow"))
        elif parameters.plan == "lift" and len(clear) and path[-1, 2] - rise > rest[-1]:
            outcome = "lifted_off"
            events.append(Event("lift", int(clear[0]), "weight", "pillow"))
        return Facts(
            cast=("weight", "pillow"),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "dent_cm": round(100 * float(dent.max())),
                "direction": ("right" if path[-1, 0] > 0 else "left") if outcome == "rolls_off" else None,
                "rope": parameters.plan == "lift",
                "deep": bool(dent.max() > 0.1),
            },
        )


def _height(u: np.ndarray, v: np.ndarray) -> np.ndarray | np.float64:
    """Height (m) of the resting pillow at the shares u, v in -1..1 of its half length and depth."""
    plump = np.clip((1 - u * u) * (1 - v * v), 0, 1) ** 0.45
    return SEAM + (THICK - SEAM) * plump


def _places(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Points (m) of the pillow's upper side, [..., 3]; the sides curve in, the corners stick out."""
    return np.stack(
        [HALF[0] * u * (0.9 + 0.1 * v * v), HALF[1] * v * (0.9 + 0.1 * u * u), _height(u, v)], axis=-1
    )


def _nodes() -> np.ndarray:
    """Resting places (m) of the cells, [CELLS**2, 3]."""
    share = np.linspace(-1, 1, CELLS + 2)[1:-1]
    return _places(*np.meshgrid(share, share, indexing="ij")).reshape(-1, 3)


def _cloth(scene: Scene, paint: Paint) -> str:
    """Name of the skin's material; patterns need a flat texture, since skins know no cube maps."""
    pattern = MATERIALS[paint.material].texture
    if pattern is None:
        return scene.material(paint)
    scene._texture(pattern, "2d")
    scene._assets["cloth"] = (
        f'<material name="cloth" texture="2d_{pattern}" texrepeat="1.4 1" rgba="{vector(paint.rgba)}" specular="0.1" '
        'shininess="0.1"/>'
    )
    return "cloth"


def _skin(material: str) -> str:
    """The drawn skin: a fine grid that follows the cells bilinearly, and a hem down to the floor."""
    count = FINE * (CELLS + 1) + 1
    share = np.linspace(-1, 1, count)
    u, v = np.meshgrid(share, share, indexing="ij")
    top = _places(u, v).reshape(-1, 3)
    index = np.arange(count * count).reshape(count, count)
    rim = np.concatenate([index[0, :-1], index[:-1, -1], index[-1, :0:-1], index[:0:-1, 0]])
    hem = top[rim] * (0.93, 0.93, 0) + (0, 0, 0.004)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    low = len(top) + np.arange(len(rim))
    after, low_after = np.roll(rim, -1), np.roll(low, -1)
    sides = np.concatenate([np.stack(t, axis=-1) for t in ((rim, after, low_after), (rim, low_after, low))])
    at = np.linspace(0, CELLS + 1, count)
    # Hat functions of the coarse nodes: [coarse, fine].
    hats = np.maximum(1 - np.abs(at[None] - np.arange(CELLS + 2)[:, None]), 0)
    bones, sewn = "", np.zeros(len(top))
    for row in range(CELLS + 2):
        for column in range(CELLS + 2):
            weight = np.outer(hats[row], hats[column]).ravel()
            if not (0 < row <= CELLS and 0 < column <= CELLS):
                sewn += weight
                continue
            cell = (row - 1) * CELLS + column - 1
            bones += _bone(f"cell_{cell}", _nodes()[cell], np.flatnonzero(weight), weight[weight > 0])
    fixed = np.flatnonzero(sewn)
    bones += _bone(
        "pillow", np.zeros(3), np.concatenate([fixed, low]), np.concatenate([sewn[fixed], np.ones(len(low))])
    )
    vertices, triangles = np.concatenate([top, hem]), np.concatenate([faces, sides])
    shares = np.concatenate([np.stack([u.ravel(), v.ravel()], 1), np.stack([u.ravel(), v.ravel()], 1)[rim]])
    # Without a texture of its own a skin with coordinates would wear whichever was drawn last.
    coordinates = f'texcoord="{vector((shares / 2 + 0.5).ravel())}"' if material.startswith("cloth") else ""
    return (
        f'<deformable><skin name="pillow" material="{material}" vertex="{vector(vertices.ravel())}" '
        f'{coordinates} face="{" ".join(map(str, triangles.ravel()))}">'
        f"{bones}</skin></deformable>"
    )


def _bone(body: str, place: np.ndarray, vertices: np.ndarray, weights: np.ndarray) -> str:
    return (
        f'<bone body="{body}" bindpos="{vector(place)}" bindquat="1 0 0 0" vertid="{" ".join(map(str, vertices))}" '
        f'vertweight="{vector(weights)}"/>'
    )
