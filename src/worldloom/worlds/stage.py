"""A take before it is filmed: the world set up from family and seed, played frame by frame, and its truth told."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mujoco

from worldloom.core.error import UsageError
from worldloom.core.seed import numpy_generator
from worldloom.worlds.camera import View, camera_path
from worldloom.worlds.families import family as find_family
from worldloom.worlds.family import Family
from worldloom.worlds.look import Look, draw_look
from worldloom.worlds.record import Recorder
from worldloom.worlds.scene import Scene
from worldloom.worlds.take import make_truth

FPS = 16


@dataclass
class Stage:
    """One world ready to run. `play` may be used once; `truth` is complete when it has ended."""

    world: Family
    seed: int
    parameters: Any
    look: Look
    scene: Scene
    model: mujoco.MjModel
    data: mujoco.MjData
    views: list[View]
    recorder: Recorder
    fps: int

    def play(self) -> Iterator[int]:
        """Yields every frame number when the simulation stands at that frame."""
        num_frames = len(self.views)
        steps = round(1 / self.fps / self.scene.timestep)
        for frame in range(-self._lead(), num_frames):
            action = self._drive()
            if frame >= 0:
                # A step leaves poses and velocities of before it; brought up to the frame's own time.
                mujoco.mj_forward(self.model, self.data)
                self.recorder.frame(self.data, frame, action)
                yield frame
            if frame == num_frames - 1:
                return
            for step in range(steps):
                if step:
                    self._drive()
                mujoco.mj_step(self.model, self.data)
                self.recorder.step(self.data)

    def truth(self) -> dict[str, Any]:
        """Everything the simulator knows of the run, as plain JSON values."""
        record = self.recorder.record()
        facts = self.world.facts(self.parameters, record)
        return make_truth(self.world.name, self.seed, self.parameters, self.look, record, self.views, facts)

    def _drive(self) -> tuple[float, ...] | None:
        return self.world.drive(self.parameters, self.model, self.data, self.data.time)

    def _lead(self) -> int:
        """Frames played unseen: a picture shows the middle of a run, not the moment before anything happens."""
        if len(self.views) > 1:
            return 0
        return int(numpy_generator("moment", self.world.name, self.seed).integers(0, self.fps))


def set_stage(
    family: str,
    seed: int,
    *,
    width: int = 256,
    height: int = 256,
    num_frames: int = 33,
    fps: int = FPS,
    supersample: int = 1,
    change: Callable[[Any], Any] | None = None,
) -> Stage:
    """Draws a world and its look and sets it up; the same arguments give the same run.

    Args:
        change: takes the parameters drawn and returns those to use: the same world with one cause changed.
        width, height: pixels of the finished picture; `supersample` multiplies the drawn one.
        num_frames, fps: the take lasts `(num_frames - 1) / fps` seconds.

    Raises:
        UsageError: unknown family, or a number below 1.
    """
    numbers = {
        "width": width,
        "height": height,
        "num_frames": num_frames,
        "fps": fps,
        "supersample": supersample,
    }
    for name, value in numbers.items():
        if value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    mujoco.set_mju_user_warning(_warn)  # else MuJoCo writes a log file into the working folder
    world = find_family(family)
    seconds = (num_frames - 1) / fps if num_frames > 1 else 1.0
    parameters = world.draw(numpy_generator("world", family, seed), seconds)
    if change is not None:
        parameters = change(parameters)
    look = draw_look(numpy_generator("look", family, seed))
    scene = world.build(parameters, look)
    model = scene.compile(width * supersample, height * supersample)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    world.start(parameters, model, data)
    mujoco.mj_forward(model, data)
    views = camera_path(scene.framing, look, width, height, num_frames, fps)
    recorder = Recorder(model, scene.things, fps, num_frames)
    return Stage(world, seed, parameters, look, scene, model, data, views, recorder, fps)


def simulate(
    family: str,
    seed: int,
    *,
    num_frames: int = 33,
    fps: int = FPS,
    change: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """The truth of a take without rendering it."""
    stage = set_stage(family, seed, num_frames=num_frames, fps=fps, change=change)
    for _ in stage.play():
        pass
    return stage.truth()


def _warn(message: str) -> None:
    warnings.warn(f"MuJoCo: {message.strip()}", RuntimeWarning, stacklevel=3)
