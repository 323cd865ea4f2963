"""A scene under construction: objects with paint and physics, put together as one MuJoCo model.

Families say what stands where; this module knows MJCF, textures and lights. Lengths in metres, masses by density
(kg/m3), angles in degrees, quaternions w x y z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import mujoco
import numpy as np

from worldloom.worlds.look import FLOORS, MATERIALS, MOODS, Look, Paint
from worldloom.worlds.texture import SIZE, texture

Vector = Sequence[float] | np.ndarray

# Angle (radians) that the contact spring turns in one physics step: a contact lasts pi / this = ten steps. A stiffer,
# lightly damped contact gains energy and launches the ball; a family with hard, quick hits takes a shorter timestep.
CONTACT_STEP = 0.3125
TIMESTEP = 1 / 480


@dataclass(frozen=True)
class Thing:
    """One object as truth and captions know it. `noun` is a caption key; `moving` things get masks' weight."""

    name: str
    noun: str
    paint: Paint
    moving: bool
    size: float


@dataclass(frozen=True)
class Framing:
    """What the camera must show: centre (m), width and height of the action (m), view from azimuth/elevation."""

    centre: tuple[float, float, float]
    width: float
    height: float
    azimuth: float = 90.0
    elevation: float = -16.0

    def distance(self, width: int, height: int) -> float:
        """Distance (m) from which the action is inside a picture of that size, with a margin for camera moves."""
        vertical = math.tan(math.radians(FIELD_OF_VIEW) / 2)
        horizontal = vertical * width / height
        return max(self.height / 2 / vertical, self.width / 2 / horizontal) * 1.08 + 0.25 * self.width


def bounce(restitution: float, timestep: float = TIMESTEP) -> str:
    """`solref` attribute whose contact returns `restitution` (0..0.98) of the approach speed.

    For a damped spring the ratio is exp(-pi z / sqrt(1 - z^2)) with damping ratio z; solved for z.
    """
    if not 0 <= restitution <= 0.98:
        raise ValueError(f"restitution {restitution} is outside 0..0.98")
    log = math.log(max(restitution, 0.02))
    damping = -log / math.hypot(math.pi, log)
    return f'solref="{timestep / (CONTACT_STEP * damping):.5f} {damping:.5f}"'


def vector(values: Vector) -> str:
    return " ".join(f"{value:.6g}" for value in values)


@dataclass
class Scene:
    """Collects bodies, then compiles. `things` keeps the order in which objects were added: the first is the main one."""

    look: Look
    framing: Framing
    things: list[Thing] = field(default_factory=list)
    timestep: float = TIMESTEP  # s; contacts are the harder the shorter it is
    gravity: float = 9.81
    _bodies: list[str] = field(default_factory=list)
    _assets: dict[str, str] = field(default_factory=dict)
    _extras: list[str] = field(default_factory=list)

    def material(self, paint: Paint) -> str:
        """Name of the MuJoCo material of that paint, made on first use; also usable in `raw` XML."""
        surface = MATERIALS[paint.material]
        name = f"paint_{paint.colour}_{paint.material}"
        if surface.texture:
            self._texture(surface.texture, "cube")
        link = f'texture="cube_{surface.texture}"' if surface.texture else ""
        self._assets[name] = (
            f'<material name="{name}" {link} rgba="{vector(paint.rgba)}" specular="{surface.specular}" '
            f'shininess="{surface.shininess}" reflectance="{surface.reflectance}"/>'
        )
        return name

    def _texture(self, name: str, kind: str) -> None:
        height = 6 * SIZE if kind == "cube" else SIZE
        self._assets[f"{kind}_{name}"] = (
            f'<texture name="{kind}_{name}" type="{kind}" builtin="flat" width="{SIZE}" height="{height}" '
            'rgb1="1 1 1" rgb2="1 1 1"/>'
        )

    def add(
        self,
        name: str,
        noun: str,
        shape: str,
        size: Vector,
        position: Vector,
        paint: Paint,
        *,
        quaternion: Vector = (1, 0, 0, 0),
        free: bool = True,
        density: float = 500.0,
        restitution: float = 0.2,
        friction: tuple[float, float, float] = (0.7, 0.01, 0.001),
        moving: bool | None = None,
        joint: str = "",
        extra: str = "",
    ) -> Thing:
        """A single-geom object. `shape` is a MuJoCo geom type, `size` its half-sizes; `joint` replaces the free joint."""
        joint = joint or ("<freejoint/>" if free else "")
        geom = (
            f'<geom name="{name}" type="{shape}" size="{vector(size)}" material="{self.material(paint)}" '
            f'density="{density}" friction="{vector(friction)}" priority="1" {bounce(restitution, self.timestep)} {extra}/>'
        )
        body = (
            f'<body name="{name}" pos="{vector(position)}" quat="{vector(quaternion)}">{joint}{geom}</body>'
        )
        return self.raw(
            body, name, noun, paint, moving=bool(joint) if moving is None else moving, size=max(size)
        )

    def raw(
        self, body: str, name: str, noun: str, paint: Paint, *, moving: bool = True, size: float = 0.1
    ) -> Thing:
        """A body given as MJCF; its body (or flex) must be called `name`. Child bodies belong to the same thing."""
        self._bodies.append(body)
        thing = Thing(name, noun, paint, moving, size)
        self.things.append(thing)
        return thing

    def decor(self, body: str) -> None:
        """MJCF that is background: part of no mask and of no truth."""
        self._bodies.append(body)

    def section(self, xml: str) -> None:
        """A top-level MJCF section (actuator, equality, tendon, contact ...)."""
        self._extras.append(xml)

    def mjcf(self, width: int, height: int) -> str:
        """The whole model as MJCF text for an offscreen picture of that size in pixels."""
        mood, floor = MOODS[self.look.mood], FLOORS[self.look.floor]
        self._texture(floor.texture, "2d")
        sun = math.radians(120 + self.framing.azimuth + self.look.sun)
        rise = math.radians(mood.elevation)
        toward = (math.cos(sun) * math.cos(rise), math.sin(sun) * math.cos(rise), math.sin(rise))
        reach = 3.2 * max(self.framing.width, self.framing.height, 1.5)
        lamp = [centre + reach * part for centre, part in zip(self.framing.centre, toward, strict=True)]
        repeat = FLOOR_SIZE / floor.tile
        # Fog hides the floor's far edge; nearer than the action it would bleach objects and turn mirror images white.
        distance = self.framing.distance(width, height)
        floor_rgb = vector([self.look.shade] * 3)
        return f"""<mujoco>
<option timestep="{self.timestep:.8f}" gravity="0 0 {-self.gravity}" cone="elliptic" impratio="3"/>
<size memory="16M"/>
<statistic center="{vector(self.framing.centre)}" extent="1"/>
<visual>
  <quality shadowsize="640" offsamples="0" numslices="24" numstacks="12" numquads="3"/>
  <global offwidth="{width}" offheight="{height}" fovy="{FIELD_OF_VIEW}"/>
  <headlight ambient="{vector(mood.ambient)}" diffuse="0.12 0.12 0.12" specular="0 0 0"/>
  <map znear="0.08" zfar="60" fogstart="{1.2 * distance:.3f}" fogend="{distance + FLOOR_SIZE:.3f}" haze="0.3" shadowclip="4" shadowscale="0.95"/>
  <rgba haze="{vector(mood.horizon)} 1" fog="{vector(mood.horizon)} 1"/>
</visual>
<asset>
  <texture type="skybox" builtin="gradient" width="64" height="384" rgb1="{vector(mood.zenith)}" rgb2="{vector(mood.horizon)}"/>
  {"".join(sorted(self._assets.values(), key=lambda text: text.startswith("<material")))}
  <material name="floor" texture="2d_{floor.texture}" texrepeat="{repeat} {repeat}" texuniform="false"
    reflectance="{floor.reflectance}" specular="0.1" shininess="0.2" rgba="{floor_rgb} 1"/>
</asset>
<worldbody>
  <light name="key" type="spot" pos="{vector(lamp)}" dir="{vector([-part for part in toward])}" cutoff="42" exponent="1"
    diffuse="{vector(mood.key)}" specular="0.5 0.5 0.5" attenuation="1 0 0" castshadow="true"/>
  <geom name="floor" type="plane" size="{FLOOR_SIZE} {FLOOR_SIZE} {FLOOR_GRID}" material="floor" friction="0.8 0.01 0.001" {bounce(0.2, self.timestep)}/>
  {"".join(self._bodies)}
</worldbody>
{"".join(self._extras)}
</mujoco>"""

    def compile(self, width: int, height: int) -> mujoco.MjModel:
        """The MuJoCo model with textures painted in."""
        model = mujoco.MjModel.from_xml_string(self.mjcf(width, height))
        for index in range(model.ntex):
            name = model.texture(index).name
            kind, _, label = name.partition("_")
            if kind in ("cube", "2d"):
                picture = texture(label)
                faces = np.tile(picture, (6, 1, 1)) if kind == "cube" else picture
                start = model.tex_adr[index]
                model.tex_data[start : start + faces.size] = faces.ravel()
        return model


FLOOR_SIZE = 8.0
"""Half-size of the drawn floor (m), which fades into the sky."""

FLOOR_GRID = 0.4
"""Side of the floor's cells (m), at whose corners light and fog are computed; 0.1 halves the frame rate."""

FIELD_OF_VIEW = 40.0
"""Vertical field of view of every camera, degrees."""
