"""What users give besides words: clips and pictures, as files or in memory."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.video import probe, read_video
from worldloom.generate.clip import Clip
from worldloom.generate.conform import Frames

Source = Clip | str | os.PathLike[str]  # a clip, or a video or picture file
Picture = np.ndarray | str | os.PathLike[str]  # uint8 [H, W, 3], or a picture file


def read_clip(source: Source, picture_fps: Fraction) -> Clip:
    """Return a clip as it is, or a file's frames with the settings recorded in it; a picture is a clip of one frame.

    `picture_fps` is the rate given to a picture, which has none. Raises UsageError for a file that is no video.
    """
    if isinstance(source, Clip):
        return source
    info, video = probe(source), read_video(source)
    clip = Clip(video.frames, video.fps, dict(video.metadata))
    return replace(clip, fps=picture_fps) if info.is_picture else clip


def read_picture(source: Picture) -> Frames:
    """Return a picture as uint8 [1, H, W, 3]. Raises UsageError for a video, which has more than one frame."""
    if not isinstance(source, np.ndarray):
        frames = read_video(source).frames
        if len(frames) != 1:
            raise UsageError(f"{source} is a video of {len(frames)} frames; give a picture")
        return frames
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[-1] != 3:
        raise UsageError(f"a picture is uint8 [H, W, 3], not {source.dtype} {list(source.shape)}")
    return source[None]
