"""The offscreen picture machine: one OpenGL context per process, one MuJoCo context per model.

MuJoCo's classic renderer over OSMesa (CPU) or EGL (GPU). The GL context is made once; the per-model context takes
about 4 ms with the small font (130 ms with the default one), so that every take can have a model of its own.
"""

from __future__ import annotations

import atexit
import importlib
import os
from types import TracebackType
from typing import Any

import mujoco
import numpy as np

from worldloom.core.error import Failure
from worldloom.worlds.camera import View
from worldloom.worlds.record import geom_owner
from worldloom.worlds.scene import Thing

BACKENDS = {"osmesa": "libosmesa6", "egl": "libegl1"}

_context: Any = None


def open_context() -> None:
    """Makes the process's GL context current, creating it on first use; MUJOCO_GL chooses `osmesa` or `egl`.

    Raises:
        Failure: no such backend, or its driver is missing; says which package installs it.
    """
    global _context
    if _context is not None:
        return
    backend = os.environ.get("MUJOCO_GL") or "osmesa"
    if backend not in BACKENDS:
        raise Failure(f"MUJOCO_GL={backend!r} cannot render offscreen; allowed are {', '.join(BACKENDS)}")
    try:
        _context = importlib.import_module(f"mujoco.{backend}").GLContext(64, 64)
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        package = BACKENDS[backend]
        raise Failure(
            f"no offscreen OpenGL by {backend} ({error}); run: apt-get install {package}"
        ) from error
    _context.make_current()
    atexit.register(_context.free)


class Painter:
    """Renders one model at one size: colour, and on request depth and instance masks."""

    def __init__(self, model: mujoco.MjModel, things: list[Thing], width: int, height: int) -> None:
        open_context()
        self.model, self.width, self.height = model, width, height
        self.scene = mujoco.MjvScene(model, 2000)
        self.option, self.camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self.option.flags[mujoco.mjtVisFlag.mjVIS_SKIN] = True
        self.context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        self.scene.flags[mujoco.mjtRndFlag.mjRND_FOG] = True
        self.rect = mujoco.MjrRect(0, 0, width, height)
        owner = geom_owner(model, things)
        self.geom_mask = (owner + 1).astype(np.uint8)
        names = [thing.name for thing in things]
        self.flex_mask = [
            names.index(model.flex(i).name) + 1 if model.flex(i).name in names else 0
            for i in range(model.nflex)
        ]
        self.skin_mask = [
            names.index(model.skin(i).name) + 1 if model.skin(i).name in names else 0
            for i in range(model.nskin)
        ]

    def look(self, data: mujoco.MjData, view: View) -> None:
        """Places the camera and takes the scene over from the simulation."""
        self.camera.lookat[:] = view.centre
        self.camera.distance, self.camera.azimuth, self.camera.elevation = (
            view.distance,
            view.azimuth,
            view.elevation,
        )
        mujoco.mjv_updateScene(
            self.model, data, self.option, None, self.camera, mujoco.mjtCatBit.mjCAT_ALL, self.scene
        )

    def picture(self, depth: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Colour [H, W, 3] uint8 and, on request, depth [H, W] float32 in metres."""
        mujoco.mjr_render(self.rect, self.scene, self.context)
        colour = np.empty((self.height, self.width, 3), np.uint8)
        raw = np.empty((self.height, self.width), np.float32) if depth else None
        mujoco.mjr_readPixels(colour, raw, self.rect, self.context)
        return colour[::-1], None if raw is None else self._metres(raw[::-1])

    def masks(self) -> np.ndarray:
        """Instance masks [H, W] uint8: 0 background, i the i-th thing (from 1)."""
        flags = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            self.scene.flags[flag] = True
        mujoco.mjr_render(self.rect, self.scene, self.context)
        code = np.empty((self.height, self.width, 3), np.uint8)
        mujoco.mjr_readPixels(code, None, self.rect, self.context)
        for flag in flags:
            self.scene.flags[flag] = False
        ids = code[::-1].astype(np.int32) @ np.array([1, 256, 65536])
        table = np.zeros(max(int(ids.max()) + 1, self.scene.ngeom + 1), np.uint8)
        for geom in self.scene.geoms[: self.scene.ngeom]:
            if geom.segid < 0:
                continue
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = self.geom_mask[geom.objid]
            elif geom.objtype == mujoco.mjtObj.mjOBJ_FLEX:
                table[geom.segid + 1] = self.flex_mask[geom.objid]
            elif geom.objtype == mujoco.mjtObj.mjOBJ_SKIN:
                table[geom.segid + 1] = self.skin_mask[geom.objid]
        return table[ids]

    def _metres(self, raw: np.ndarray) -> np.ndarray:
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        return (near / (1 - raw * (1 - near / far))).astype(np.float32)

    def close(self) -> None:
        self.context.free()

    def __enter__(self) -> Painter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
