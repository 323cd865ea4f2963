"""From a family and a seed to a take: set the stage, play it, film it, describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.engine import Painter
from worldloom.worlds.stage import FPS, Stage, set_stage
from worldloom.worlds.take import Take


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
        UsageError: unknown family, or a number below 1.
        Failure: no offscreen OpenGL.
    """
    stage = set_stage(
        family, seed, width=width, height=height, num_frames=num_frames, fps=fps, supersample=supersample
    )
    shot = film(stage, width, height, supersample=supersample, masks=masks, depth=depth)
    truth = stage.truth()
    return Take(family, seed, fps, shot.frames, shot.masks, shot.depth, truth, caption_truth(truth, wordings))


@dataclass(frozen=True)
class Film:
    """`frames` uint8 [F, H, W, 3]; `masks` uint8 [F, H, W] and `depth` float32 [F, H, W] in metres, or None."""

    frames: np.ndarray
    masks: np.ndarray | None
    depth: np.ndarray | None


def film(
    stage: Stage,
    width: int,
    height: int,
    *,
    supersample: int = 1,
    masks: bool = False,
    depth: bool = False,
    every: int = 1,
    then: Callable[[int], None] | None = None,
) -> Film:
    """Plays a stage to its end and films every `every`-th frame, the first one included.

    `then` is called with the frame's number when the frame has been filmed, before the world moves on; it may change
    `stage.data`, for a run that goes another way from there.
    """
    count = -(-len(stage.views) // every)
    frames = np.empty((count, height, width, 3), np.uint8)
    mask_frames = np.empty((count, height, width), np.uint8) if masks else None
    depth_frames = np.empty((count, height, width), np.float32) if depth else None
    with Painter(stage.model, stage.scene.things, width * supersample, height * supersample) as painter:
        for frame in stage.play():
            at, rest = divmod(frame, every)
            if rest == 0:
                painter.look(stage.data, stage.views[frame])
                colour, metres = painter.picture(depth)
                frames[at] = _average(colour, supersample)
                if mask_frames is not None:
                    mask_frames[at] = painter.masks()[::supersample, ::supersample]
                if depth_frames is not None and metres is not None:
                    depth_frames[at] = metres[::supersample, ::supersample]
            if then is not None:
                then(frame)
    return Film(frames, mask_frames, depth_frames)


def _average(picture: np.ndarray, factor: int) -> np.ndarray:
    """Area average by a whole factor, [H*factor, W*factor, 3] to [H, W, 3] uint8, rounded to nearest."""
    if factor == 1:
        return picture
    total = np.zeros((picture.shape[0] // factor, picture.shape[1] // factor, 3), np.uint16)
    for row in range(factor):
        for column in range(factor):
            total += picture[row::factor, column::factor]
    return ((total + factor * factor // 2) // (factor * factor)).astype(np.uint8)
