"""A video that can be played while it is being made, also after its process was killed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av

from worldloom.core.file import check_target, machine_trouble, whole_file
from worldloom.core.video_writer import THREADS, VideoWriter, add_stream

# Fragments of one group of pictures each: whatever is on the disk can be played up to its last whole fragment.
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
FASTSTART = {"movflags": "+faststart"}


class DraftWriter(VideoWriter):
    """A `VideoWriter` that writes into a draft beside its file first.

    The draft, once `publish` has given it its name, holds all but the last two seconds of what was written, however
    the process ends; after an exception it holds everything. When the block ends well its packets are copied into
    `path`, unchanged, with the index in front, and the draft is gone. Arguments and errors are `VideoWriter`'s.
    """

    def __init__(self, path: str | os.PathLike[str], draft: Path, *arguments: Any, **more: Any) -> None:
        super().__init__(path, *arguments, **more)
        # x264 looks 40 frames ahead unless told; a second is enough for the sizes of slow footage.
        self._options["rc-lookahead"] = str(max(1, round(self.fps)))
        self.draft = draft
        self._file = draft.with_name(f".{draft.stem[:100]}.{secrets.token_hex(4)}.part{draft.suffix}")

    def publish(self) -> None:
        """Give the draft its name, over an older draft."""
        if self._file != self.draft:
            os.replace(self._file, self.draft)
            self._file = self.draft

    @contextmanager
    def _open(self) -> Iterator[None]:
        check_target(self.path, self._force)
        try:
            with machine_trouble(self.path):
                self._container = av.open(str(self._file), "w", format="mp4", options=FRAGMENTED)
                self._container.metadata["comment"] = self._comment
                even = self.width + self.width % 2, self.height + self.height % 2
                self._stream = add_stream(
                    self._container, even, self.fps, self._pixel_format, THREADS, self._options
                )
                self._container.start_encoding()  # opens the file now, so that it can be renamed
                try:
                    yield
                except BaseException:
                    with suppress(
                        av.error.FFmpegError
                    ):  # the disk may be full: the first error is the one to tell
                        self._end()
                    raise
                self._finish()
            with whole_file(self.path, self._force) as temporary:
                copy_packets(self._file, temporary)
            self.draft.unlink(missing_ok=True)
        finally:
            if self._file != self.draft:
                self._file.unlink(missing_ok=True)

    def _end(self) -> None:
        if self.num_frames:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def copy_packets(source: Path, target: Path) -> None:
    """Write the coded pictures of an mp4, as they are, into one with its index in front; metadata comes along."""
    with (
        av.open(str(source)) as reading,
        av.open(str(target), "w", format="mp4", container_options=FASTSTART) as writing,
    ):
        writing.metadata["comment"] = reading.metadata["comment"]
        stream = reading.streams.video[0]
        copy = writing.add_stream_from_template(stream)
        for packet in reading.demux(stream):
            if packet.dts is not None:  # the one without is the end
                packet.stream = copy
                writing.mux(packet)
