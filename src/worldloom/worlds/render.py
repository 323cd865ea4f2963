"""From a family and a seed to a take: draw, build, simulate, paint, describe."""

from __future__ import annotations

from worldloom.core.seed import numpy_generator
from worldloom.worlds.camera import camera_path
from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.engine import Painter
from worldloom.worlds.families import family as find_family
from worldloom.worlds.look import draw_look
from worldloom.worlds.record import Recorder
from worldloom.worlds.take import Take, make_truth

import mujoco  # noqa: E402  after engine, which chooses the GL backend
import numpy as np  # noqa: E402

FPS = 16


def render_take(
    family: str,
    seed: int,
    *,
    width: int = 256,
    height: int = 256,
    num_frames: int = 33,
    fps: int = FPS,
    supersample: int = 1,
    masks: bool = False,
    depth: bool = False,
    wordings: int = 1,
) -> Take:
    """Simulates and renders one take; the same arguments give the same pixels.

    Args:
        width, height: pixels. num_frames, fps: the take lasts `(num_frames - 1) / fps` seconds.
        supersample: render at this multiple and average down (better edges than multisampling, and quicker).
        masks, depth: also make instance masks and depth (about 20 % slower).
        wordings: distinct captions per language and length; 0 leaves them out (`caption_truth` adds them later).

    Raises:
        ValueError: unknown family or a size or count below 1.
        RuntimeError: no offscreen OpenGL.
    """
    for name, value in {"width": width, "height": height, "num_frames": num_frames, "fps": fps}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    world = find_family(family)
    parameters = world.draw(
        numpy_generator("world", family, seed), (num_frames - 1) / fps if num_frames > 1 else 1.0
    )
    look = draw_look(numpy_generator("look", family, seed))
    scene = world.build(parameters, look)
    wide, high = width * supersample, height * supersample
    model = scene.compile(wide, high)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    world.start(parameters, model, data)
    mujoco.mj_forward(model, data)
    # A picture shows the world in the middle of its run, not the moment before anything happens.
    lead = 0 if num_frames > 1 else int(numpy_generator("moment", family, seed).integers(0, fps))
    views = camera_path(scene.framing, look, width, height, num_frames, fps)
    recorder = Recorder(model, scene.things, fps, num_frames)
    steps = round(1 / fps / scene.timestep)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    mask_frames = np.empty((num_frames, height, width), np.uint8) if masks else None
    depth_frames = np.empty((num_frames, height, width), np.float32) if depth else None

    with Painter(model, scene.things, wide, high) as painter:
        for frame in range(-lead, num_frames):
            action = world.drive(parameters, model, data, data.time)
            if frame >= 0:
                recorder.frame(data, frame, action)
                painter.look(data, views[frame])
                colour, metres = painter.picture(depth)
                frames[frame] = _average(colour, supersample)
                if mask_frames is not None:
                    mask_frames[frame] = painter.masks()[::supersample, ::supersample]
                if depth_frames is not None and metres is not None:
                    depth_frames[frame] = metres[::supersample, ::supersample]
            if frame == num_frames - 1:
                break
            for step in range(steps):
                if step:
                    world.drive(parameters, model, data, data.time)
                mujoco.mj_step(model, data)
                recorder.step(data)
    record = recorder.record()
    facts = world.facts(parameters, record)
    truth = make_truth(family, seed, parameters, look, record, views, facts)
    captions = caption_truth(truth, wordings)
    return Take(family, seed, fps, frames, mask_frames, depth_frames, truth, captions)


def _average(picture: np.ndarray, factor: int) -> np.ndarray:
    """Area average by a whole factor, [H*factor, W*factor, 3] to [H, W, 3] uint8, rounded to nearest."""
    if factor == 1:
        return picture
    total = np.zeros((picture.shape[0] // factor, picture.shape[1] // factor, 3), np.uint16)
    for row in range(factor):
        for column in range(factor):
            total += picture[row::factor, column::factor]
    return ((total + factor * factor // 2) // (factor * factor)).astype(np.uint8)
