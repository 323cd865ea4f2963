"""How much a stranger's file may ask of this machine, checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from worldloom.core.error import UsageError

# Decoders (FFmpeg's names) and containers (FFmpeg's demuxers) that are opened at all. All of these containers
# tell their streams before a packet is read, which is what lets the limits reach the decoder. Playlists are
# not among them: a playlist names other files and addresses.
DECODERS = (
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "libdav1d",
    "av1",
    "mpeg4",
    "mjpeg",
    "prores",
    "ffv1",
    "qtrle",
    "gif",
    "png",
)
CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "gif")
MAX_STREAMS = 32


@dataclass(frozen=True)
class Limits:
    """What a file may declare; by default ten minutes of 4K on disk and 8 GiB decoded at once."""

    file_bytes: int = 4 << 30
    pixels: int = 4096 * 2304  # of one frame
    frames: int = 36_000
    seconds: float = 600.0
    decoded_bytes: int = 8 << 30  # of what one call returns as uint8 RGB
    decoders: tuple[str, ...] = DECODERS

    def check_bytes(self, name: str, size: int) -> None:
        """Raise UsageError if the file itself is empty or too large."""
        if size == 0:
            raise UsageError(f"{name} is empty")
        if size > self.file_bytes:
            raise UsageError(f"{name} has {size} bytes; at most {self.file_bytes} are allowed")

    def check_size(self, name: str, width: int, height: int) -> None:
        """Raise UsageError if a frame has no area or too many pixels."""
        if width < 1 or height < 1:
            raise UsageError(f"{name} declares a size of {width}x{height}; both sides must be at least 1")
        if width * height > self.pixels:
            raise UsageError(
                f"{name} is {width}x{height}, {width * height} pixels; at most {self.pixels} are allowed"
            )

    def check_length(self, name: str, frames: int, seconds: float) -> None:
        """Raise UsageError if there are too many frames or the file plays for too long."""
        if frames > self.frames:
            raise UsageError(f"{name} has at least {frames} frames; at most {self.frames} are allowed")
        if seconds > self.seconds:
            raise UsageError(f"{name} lasts {seconds:.1f} s; at most {self.seconds:g} s are allowed")

    def check_memory(self, name: str, frames: int, width: int, height: int) -> None:
        """Raise UsageError if the decoded frames would not fit in what one call may return."""
        needed = frames * width * height * 3
        if needed > self.decoded_bytes:
            raise UsageError(
                f"{name} decodes to {needed} bytes ({frames} frames of {width}x{height}); "
                f"at most {self.decoded_bytes} are allowed at once"
            )
