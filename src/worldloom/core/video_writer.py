"""H.264 in mp4: to a file that appears only when whole, and to bytes for training shards.

The encoder's thread count is fixed, because x264's output depends on it: the same frames give the same bytes
on any machine with the same libraries.
"""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from jaxtyping import UInt8

from worldloom.core.coding import PAINTED, SHARD, Coding
from worldloom.core.color import tag_stream, to_codec
from worldloom.core.error import UsageError
from worldloom.core.file import whole_file
from worldloom.core.metadata import pack

THREADS = 4
MAX_SIDE = 16384  # of x264


# x264's AVX-512 code reads memory nobody wrote: equal pictures came out as 9667 to 9703 bytes (17 frames of 96x160,
# veryfast, 2026-11). Its SSE 4.2 code, as quick at these sizes, gives the same bytes each time and on every x86.
STEADY = ["asm=sse4.2"] if platform.machine() in ("x86_64", "AMD64") else []
# `to_codec` puts a colour value between its four pixels. H.264's default lies left of it: read that way, colours move
# a quarter of a pixel each time a clip is written (38.3 dB became 30.5 in five generations, now 35.9, 2026-11).
CENTERED = ["chromaloc=1"]


class VideoWriter:
    """Writes frames to an mp4 (x264, BT.709), as a context manager; by default one that every browser plays.

    The file appears when the block ends well; on any exception nothing is left. `metadata` is JSON-able and
    comes back from `probe`. An odd side is padded by its last row or column, since 4:2:0 needs even sizes;
    the true size is recorded and our reader cuts to it. Raises UsageError for an existing file without `force`
    or a wrong frame size, Failure for a full disk.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        fps: Fraction | float,
        metadata: Mapping[str, Any] | None = None,
        force: bool = False,
        coding: Coding = PAINTED,
    ) -> None:
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise UsageError(f"{width}x{height} cannot be written; each side must be in 1-{MAX_SIDE}")
        self.path, self.width, self.height = path, width, height
        self.fps = Fraction(fps).limit_denominator(1001)
        if self.fps <= 0:
            raise UsageError(f"{fps} frames per second cannot be written; the rate must be above 0")
        self.num_frames = 0
        self._force, self._pixel_format, self._options = force, coding.pixel_format, dict(coding.options)
        self._comment = pack(metadata or {}, (width, height))

    def __enter__(self) -> VideoWriter:
        self._session = self._open()
        self._session.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.__exit__(kind, error, trace)

    def write(self, frames: UInt8[np.ndarray, "n H W 3"]) -> None:
        """Append RGB frames."""
        if frames.shape[1:] != (self.height, self.width, 3):
            raise UsageError(
                f"frames of shape {frames.shape} do not fit {self.path}, {self.width}x{self.height}"
            )
        for frame in pad_to_even(frames):
            self._container.mux(
                self._stream.encode(_timed(frame, self._pixel_format, self.num_frames, self.fps))
            )
            self.num_frames += 1

    @contextmanager
    def _open(self) -> Iterator[None]:
        with whole_file(self.path, self._force) as temporary:
            # faststart, the index in front, lets a browser play while it loads; it needs a real file.
            flags = {"movflags": "+faststart"}
            self._container = av.open(str(temporary), "w", format="mp4", container_options=flags)
            try:
                self._container.metadata["comment"] = self._comment
                even = self.width + self.width % 2, self.height + self.height % 2
                self._stream = add_stream(
                    self._container, even, self.fps, self._pixel_format, THREADS, self._options
                )
                yield
                self._finish()
            except BaseException:
                with suppress(
                    av.error.FFmpegError
                ):  # the index may fail to be written: the file is thrown away
                    self._container.close()
                raise

    def _finish(self) -> None:
        if self.num_frames == 0:
            raise UsageError(f"no frame was given for {self.path}; a video has at least one")
        self._container.mux(self._stream.encode(None))
        self._container.close()


def encode_bytes(
    frames: UInt8[np.ndarray, "F H W 3"], fps: Fraction | float, coding: Coding = SHARD
) -> bytes:
    """Return frames as mp4 bytes, coded on one thread; by default in full colour, for training shards.

    4:4:4 at equal bytes keeps 43 dB on small saturated objects where 4:2:0, which needs even sides, keeps 36
    (128x128, crf 14, 2026-11).
    """
    rate = Fraction(fps).limit_denominator(1001)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        size = frames.shape[2], frames.shape[1]
        stream = add_stream(container, size, rate, coding.pixel_format, 1, coding.options)
        for index, frame in enumerate(frames):
            container.mux(stream.encode(_timed(frame, coding.pixel_format, index, rate)))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def pad_to_even(frames: UInt8[np.ndarray, "F H W 3"]) -> UInt8[np.ndarray, "F h w 3"]:
    """Return the frames with the last row and column repeated where a side is odd."""
    padding = ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0))
    return np.pad(frames, padding, mode="edge")


def add_stream(
    container: OutputContainer,
    size: tuple[int, int],
    fps: Fraction,
    pixel_format: str,
    threads: int,
    options: Mapping[str, str],
) -> av.VideoStream:
    """Add an x264 stream to a container that is being written."""
    parameters = ":".join(STEADY + (CENTERED if pixel_format == "yuv420p" else []))
    stream = container.add_stream("libx264", rate=fps, options={**options, "x264-params": parameters})
    stream.width, stream.height = size
    stream.pix_fmt = pixel_format
    stream.thread_count = threads
    stream.gop_size = max(1, round(fps))  # a second: reaching any frame decodes no more than that
    tag_stream(stream)
    return stream


def _timed(array: UInt8[np.ndarray, "H W 3"], pixel_format: str, index: int, fps: Fraction) -> av.VideoFrame:
    frame = to_codec(array, pixel_format)
    frame.pts, frame.time_base = index, 1 / fps
    return frame
