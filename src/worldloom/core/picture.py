"""Pictures: PNG, JPEG and WebP with their orientation, transparency and metadata."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from worldloom.core.color import Background, composite
from worldloom.core.error import UsageError
from worldloom.core.file import whole_file
from worldloom.core.limits import Limits
from worldloom.core.metadata import Metadata, pack, unpack

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
COMMENT_KEY = "comment"  # PNG text chunk; JPEG and WebP carry it as the Exif user comment
EXIF_TEXT = b"ASCII\0\0\0"  # the character code that Exif puts before a user comment
TURNED = {5, 6, 7, 8}  # Exif orientations that swap width and height


def is_picture(head: bytes) -> bool:
    """Return whether a file's first 12 bytes are those of a PNG, JPEG or WebP."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or webp


def open_picture(source: Path | BinaryIO, name: str, limits: Limits) -> Image.Image:
    """Return a picture of which only the header has been read, after checking its size.

    Raises UsageError if it is damaged, animated or larger than the limits allow.
    """
    try:
        with warnings.catch_warnings():  # Pillow's own size warning: ours is stricter and an error
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(source, formats=sorted(set(FORMATS.values())))
    except Image.DecompressionBombError as error:
        raise UsageError(f"{name} has too many pixels; at most {limits.pixels} are allowed") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{name} is a damaged picture: its header cannot be read") from error
    limits.check_size(name, *image.size)
    if getattr(image, "n_frames", 1) > 1:
        raise UsageError(f"{name} is an animated {image.format}; convert it to mp4, webm or gif")
    return image


@contextmanager
def readable_picture(name: str) -> Iterator[None]:
    """Turn what Pillow finds wrong with a picture's content into a UsageError."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise UsageError(f"{name} is a damaged or cut-off picture") from error


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) as shown, after the Exif orientation."""
    turned = image.getexif().get(ExifTags.Base.Orientation) in TURNED
    return (image.height, image.width) if turned else (image.width, image.height)


def picture_metadata(image: Image.Image) -> Metadata:
    """Return the metadata that `write_picture` stored, or {}."""
    comment = image.info.get(COMMENT_KEY)
    if comment is None:
        stored = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
        if isinstance(stored, bytes) and stored.startswith(EXIF_TEXT):
            comment = stored[len(EXIF_TEXT) :].decode("ascii", errors="replace")
    return unpack(comment if isinstance(comment, str) else None)[0]


def transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def pixels(image: Image.Image, name: str, background: Background = "black") -> UInt8[np.ndarray, "H W 3"]:
    """Return the picture as RGB, upright, transparency composited on `background`."""
    with readable_picture(name):
        alpha = transparent(image)
        upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16-bit grey, which Pillow's convert would clip at 255
        gray = (np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=-1)
    if alpha:
        return composite(np.asarray(upright.convert("RGBA")), background)
    return np.array(upright.convert("RGB"))


def write_picture(
    path: str | os.PathLike[str],
    frame: UInt8[np.ndarray, "H W 3"],
    metadata: Mapping[str, Any] | None = None,
    force: bool = False,
    quality: int = 95,
) -> None:
    """Write one RGB frame as PNG, JPEG or WebP, chosen by the suffix, with its metadata.

    `quality` (1-100) is for JPEG and WebP. Raises UsageError for another suffix or an existing file without
    `force`, Failure for a full disk.
    """
    kind = FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise UsageError(f"{path} is not a picture name; allowed suffixes: {', '.join(FORMATS)}")
    comment = pack(metadata or {}, (frame.shape[1], frame.shape[0]))
    with whole_file(path, force) as temporary:
        Image.fromarray(np.ascontiguousarray(frame)).save(
            temporary, kind, **_save_options(kind, comment, quality)
        )


def encode_picture(frame: UInt8[np.ndarray, "H W 3"], quality: int | None = None) -> bytes:
    """Return one RGB frame as PNG bytes, without loss, or as WebP of a `quality` from 1 to 100."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(frame))
    if quality is None:
        image.save(buffer, "PNG", compress_level=3)
    else:
        image.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def _save_options(kind: str, comment: str, quality: int) -> dict[str, Any]:
    if kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(COMMENT_KEY, comment)
        return {"pnginfo": chunks}
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = EXIF_TEXT + comment.encode("ascii")
    options: dict[str, Any] = {"exif": exif.tobytes(), "quality": quality}
    return {**options, "subsampling": 0} if kind == "JPEG" else {**options, "method": 4}
