"""Video files in and out of memory: uint8 RGB frames with exact counts, times and metadata.

This is the door to the room's video files; other rooms import from here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from jaxtyping import Float64, Int, UInt8
from PIL import Image

from worldloom.core.color import Background, to_rgb, turn
from worldloom.core.error import UsageError
from worldloom.core.limits import Limits
from worldloom.core.metadata import Metadata
from worldloom.core.picture import (
    encode_picture,
    is_picture,
    open_picture,
    picture_metadata,
    pixels,
    write_picture,
)
from worldloom.core.probe import (
    VideoInfo,
    check_file,
    open_container,
    picture_file,
    probe,
    readable,
    survey,
    video_stream,
)
from worldloom.core.video_writer import VideoWriter, encode_bytes

__all__ = [
    "Limits",
    "Video",
    "VideoInfo",
    "VideoWriter",
    "decode_bytes",
    "encode_bytes",
    "encode_picture",
    "probe",
    "read_frames",
    "read_video",
    "resample",
    "write_picture",
]


@dataclass(frozen=True)
class Video:
    """A clip in memory."""

    frames: UInt8[np.ndarray, "F H W 3"]  # RGB
    fps: Fraction  # the mean rate where the times are uneven; 1 for a picture
    timestamps: Float64[np.ndarray, " F"]  # seconds from the first frame
    metadata: Metadata = field(default_factory=dict)

    @property
    def num_frames(self) -> int:
        return self.frames.shape[0]

    @property
    def height(self) -> int:
        return self.frames.shape[1]

    @property
    def width(self) -> int:
        return self.frames.shape[2]

    @property
    def duration(self) -> float:
        """Seconds, counting the last frame's own time."""
        return float(self.timestamps[-1] + 1 / self.fps)


def read_video(
    path: str | os.PathLike[str],
    limits: Limits = Limits(),
    fps: Fraction | float | None = None,
    background: Background = "black",
) -> Video:
    """Read a local video, or a picture as one frame, upright, with transparency composited on `background`.

    `fps` asks for a constant rate: each output time takes the frame on screen then, by timestamps, so that a
    variable rate comes out even and the duration stays. Without it every frame comes once, at its own time.
    Pixels are taken as square. Raises UsageError in one sentence for a file that is not a whole video or
    picture of an allowed kind within `limits`, which are checked before decoding.
    """
    path = check_file(path, limits)
    name = str(path)
    if picture_file(path):
        return _read_picture(path, limits, background)
    with open_container(path, limits) as container:
        info, timeline = survey(container, name, limits)
        rate = timeline.fps if fps is None else _exact_rate(fps)
        picks = None if fps is None else resample(timeline.timestamps, timeline.duration, rate)
        count = info.num_frames if picks is None else len(picks)
        limits.check_length(name, count, timeline.duration)
        limits.check_memory(name, max(count, info.num_frames), info.width, info.height)
        frames = np.empty((info.num_frames, info.height, info.width, 3), np.uint8)
        found = 0
        for frame in _decode(container, info, name, background):
            if found == len(frames):
                raise UsageError(f"{name} is damaged: it decodes to more than the {found} frames it holds")
            frames[found] = frame
            found += 1
    if found < len(frames):
        raise UsageError(f"{name} is damaged or cut off: {found} of its {len(frames)} frames can be decoded")
    if picks is None:
        return Video(frames, rate, timeline.timestamps, info.metadata)
    return Video(frames[picks], rate, np.arange(len(picks)) / float(rate), info.metadata)


def read_frames(
    path: str | os.PathLike[str],
    limits: Limits = Limits(),
    background: Background = "black",
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Yield the frames of a local video one by one, for clips that should not stand in memory whole."""
    path = check_file(path, limits)
    if picture_file(path):
        yield _read_picture(path, limits, background).frames[0]
        return
    with open_container(path, limits) as container:
        info, _ = survey(container, str(path), limits)
        yield from _decode(container, info, str(path), background)


def resample(
    timestamps: Float64[np.ndarray, " F"], duration: float, fps: Fraction | float
) -> Int[np.ndarray, " G"]:
    """Return for each output time k / fps the index of the frame on screen then.

    A frame counts as on screen up to half an interval (of the finer rate) early: containers round times, and
    a rate resampled to itself must come out frame for frame.
    """
    count = max(1, round(duration * float(fps)))
    source_interval = duration / len(timestamps)
    slack = 0.5 * min(source_interval, 1 / float(fps))
    wanted = np.arange(count) / float(fps) + slack - 1e-9
    return np.clip(np.searchsorted(timestamps, wanted, side="right") - 1, 0, len(timestamps) - 1)


def decode_bytes(data: bytes) -> UInt8[np.ndarray, "F H W 3"]:
    """Decode a trusted mp4, PNG, JPEG or WebP from memory (a training shard's member), on one thread.

    There are no limits and no survey here: never give it a stranger's file.
    """
    if is_picture(data[:12]):
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))[None]
    with av.open(io.BytesIO(data), "r") as container:
        container.streams.video[0].thread_count = 1  # the loader's processes are the parallelism
        return np.stack([to_rgb(frame) for frame in container.decode(video=0)])


def _read_picture(path: Path, limits: Limits, background: Background) -> Video:
    with open_picture(path, str(path), limits) as image:
        limits.check_memory(str(path), 1, *image.size)
        frame = pixels(image, str(path), background)
        return Video(frame[None], Fraction(1), np.zeros(1), picture_metadata(image))


def _decode(
    container: InputContainer, info: VideoInfo, name: str, background: Background
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Yield upright frames of the size that `info` promises."""
    stream = video_stream(container)
    assert stream is not None  # open_container refuses a file without one
    size = (info.width, info.height) if info.rotation in (90, 270) else (info.height, info.width)
    coded: tuple[int, int] | None = None
    with readable(name):
        for index, frame in enumerate(container.decode(stream)):
            assert isinstance(frame, av.VideoFrame)
            if frame.is_corrupt:
                raise UsageError(f"{name} is damaged: frame {index} cannot be decoded whole")
            if coded is not None and coded != (frame.width, frame.height):
                raise UsageError(
                    f"{name} changes its size at frame {index} from {coded[0]}x{coded[1]} "
                    f"to {frame.width}x{frame.height}; one size is allowed"
                )
            coded = frame.width, frame.height
            yield turn(to_rgb(frame, background)[: size[0], : size[1]], info.rotation)


def _exact_rate(fps: Fraction | float) -> Fraction:
    rate = Fraction(fps).limit_denominator(1001)
    if not 0 < rate <= 1000:
        raise UsageError(f"{fps} frames per second were asked for; allowed: above 0, at most 1000")
    return rate
