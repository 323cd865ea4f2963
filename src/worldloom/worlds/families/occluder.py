"""Something passes behind a screen: it comes out, stops there unseen, or comes back the way it went."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from worldloom.worlds.family import Event, Facts, Family
from worldloom.worlds.look import MATERIALS, Look, Paint, draw_paints
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Framing, Scene, vector

OPAQUE = tuple(name for name, surface in MATERIALS.items() if surface.alpha == 1)
START = 0.9  # m from the middle of the screen
THICKNESS = 0.03  # m, half of the screen's
STILL = 0.08  # m/s, slower than this counts as standing


@dataclass(frozen=True)
class OccluderParameters:
    plan: str  # "pass", "stop" or "return": which causes are laid out, not what happens
    shape: str  # "ball", "box" or "cylinder"
    side: int  # +1 moves to the right, -1 to the left
    paint: Paint
    screen_paint: Paint
    size: float  # m, radius or half edge
    speed: float  # m/s
    drag: float  # m/s2, deceleration by rolling or sliding friction
    half_width: float  # m, of the screen
    screen_height: float  # m
    hole: bool


class Occluder(Family[OccluderParameters]):
    name = "occluder"
    summary = "something passes behind a screen and comes out, stops behind it, or comes back"
    EVENTS = ("move", "hide", "glimpse", "emerge", "return", "stop")
    OUTCOMES = ("comes_out", "stops_behind", "comes_back")

    def draw(self, rng: np.random.Generator, seconds: float) -> OccluderParameters:
        plan = str(rng.choice(["pass", "stop", "return"], p=[0.44, 0.31, 0.25]))
        paint, screen_paint = draw_paints(rng, 2, materials=OPAQUE)
        size = float(rng.uniform(0.17, 0.22))
        # The way is 2 m; the take ends when the object has passed, so speed goes with the length of the take.
        pace = 1 / max(seconds, 0.5)
        drag = 0.0
        if plan == "stop":
            way = START + float(rng.uniform(-0.1, 0.08))
            speed = 2 * way * pace / float(rng.uniform(0.6, 0.75))
            drag = speed * speed / (2 * way)
        elif plan == "return":
            speed = float(rng.uniform(1.75, 1.9)) * pace
        else:
            speed = float(rng.uniform(2.2, 2.35)) * pace
            drag = float(rng.uniform(0.5, 0.8)) * pace * pace
        return OccluderParameters(
            plan=plan,
            shape=str(rng.choice(["ball", "box", "cylinder"], p=[0.5, 0.25, 0.25])),
            side=int(rng.choice([-1, 1])),
            paint=paint,
            screen_paint=screen_paint,
            size=size,
            speed=speed,
            drag=drag,
            half_width=float(rng.uniform(0.48, 0.54)),
            screen_height=float(rng.uniform(0.75, 1.0)),
            hole=bool(rng.random() < 0.3),
        )

    def build(self, parameters: OccluderParameters, look: Look) -> Scene:
        scene = Scene(look, Framing(centre=(0, 0, 0.42), width=2.0, height=1.3, elevation=-9))
        size, depth = parameters.size, parameters.size + 0.07
        shape, half = {
            "ball": ("sphere", [size]),
            "box": ("box", [size, size, size]),
            "cylinder": ("cylinder", [size * 0.9, size]),
        }[parameters.shape]
        rolling = parameters.shape == "ball" and parameters.plan != "return"
        slide = max(parameters.drag / scene.gravity, 0.002)
        # A rolling ball is slowed by 5/7 of the rolling friction's pull, since the pull also stops the spin.
        roll = max(parameters.drag * size * 1.4 / scene.gravity, 1e-5)
        friction = (0.8, 0.005, roll) if rolling else (slide, 0.005, 1e-5)
        scene.add(
            "mover", parameters.shape, shape, half, (-parameters.side * START, depth, size), parameters.paint,
            density=400, restitution=0.2 if parameters.plan != "return" else 0.9, friction=friction,
            extra='condim="6"' if rolling else "",
        )  # fmt: skip
        self._add_screen(scene, parameters)
        if parameters.plan == "return":
            # The unseen cause: a hard block behind the screen.
            scene.decor(
                f'<geom type="box" size="0.05 {0.6 * size} {0.8 * size}" '
                f'pos="{0.12 * parameters.side} {depth} {0.8 * size}" material="{scene.material(parameters.screen_paint)}"/>'
            )
        return scene

    def _add_screen(self, scene: Scene, parameters: OccluderParameters) -> None:
        """One board, or four around a window through which the passing object can be seen."""
        half, height, y = parameters.half_width, parameters.screen_height, -THICKNESS - 0.02
        material = scene.material(parameters.screen_paint)
        window = 0.8 * parameters.size if parameters.hole else 0.0
        low, high = 0.35 * parameters.size, 1.9 * parameters.size
        boards = [(0.0, 0.0, half, height)]
        if parameters.hole:
            side = (half - window) / 2
            boards = [
                (-(half + window) / 2, 0, side, height),
                ((half + window) / 2, 0, side, height),
                (0, 0, window, low),
                (0, high, window, height),
            ]
        geoms = [
            f'<geom type="box" size="{vector((wide, THICKNESS, (top - bottom) / 2))}" '
            f'pos="{vector((x, y, (top + bottom) / 2))}" material="{material}"/>'
            for x, bottom, wide, top in boards
        ]
        geoms += [
            f'<geom type="box" size="0.05 0.11 0.02" pos="{x} {y - 0.03} 0.02" material="{material}"/>'
            for x in (-half * 0.8, half * 0.8)
        ]
        scene.raw(
            f'<body name="screen">{"".join(geoms)}</body>', "screen", "screen", parameters.screen_paint,
            moving=False, size=half,
        )  # fmt: skip

    def start(self, parameters: OccluderParameters, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        spin = 0.0
        if parameters.shape == "ball" and parameters.plan != "return":
            spin = parameters.side * parameters.speed / parameters.size
        data.joint(model.body("mover").jntadr[0]).qvel[:] = (
            parameters.side * parameters.speed, 0, 0, 0, spin, 0,
        )  # fmt: skip

    def facts(self, parameters: OccluderParameters, record: Record) -> Facts:
        # Along the way: negative before the screen, positive past it.
        way = parameters.side * record.path("mover")[:, 0]
        pace = parameters.side * record.velocity[:, record.index("mover"), 0]
        edge = parameters.half_width
        hidden = np.abs(way) + parameters.size <= edge
        events = [Event("move", 0, "mover")]
        first = int(np.argmax(hidden)) if hidden.any() else None
        if first is not None:
            events.append(Event("hide", first, "mover", "screen"))
            seen = np.flatnonzero(np.abs(way) < 0.8 * parameters.size)
            if parameters.hole and len(seen):
                events.append(Event("glimpse", int(seen[0]), "mover", "screen"))
            out = np.flatnonzero((way + parameters.size > edge + 0.02) & (np.arange(len(way)) > first))
            back = np.flatnonzero((way - parameters.size < -edge - 0.02) & (np.arange(len(way)) > first))
            still = np.flatnonzero((np.abs(pace) < STILL) & hidden)
            if len(out):
                events.append(Event("emerge", int(out[0]), "mover", "screen"))
            elif len(back):
                events.append(Event("return", int(back[0]), "mover", "screen"))
            elif len(still):
                events.append(Event("stop", int(still[0]), "mover", "screen"))
        keys = {event.key for event in events}
        outcome = "comes_out" if "emerge" in keys else "comes_back" if "return" in keys else "stops_behind"
        return Facts(
            cast=("mover", "screen"),
            events=tuple(sorted(events, key=lambda event: event.frame)),
            outcome=outcome,
            details={
                "direction": "right" if parameters.side > 0 else "left",
                "motion": "roll" if parameters.shape == "ball" and parameters.plan != "return" else "slide",
                "hole": parameters.hole,
                "hidden_at_end": outcome == "stops_behind" and not parameters.hole,
            },
        )
