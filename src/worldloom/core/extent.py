"""How long a file says it is, by its outermost chunks: the one sure sign of a download that broke off.

A decoder stops quietly where such a file ends and hands out what there was. The formats themselves tell: an ISO
file (mp4, mov) is a row of boxes, an AVI a row of RIFF chunks, a Matroska file one segment, each with its length.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
MAX_CHUNKS = 1_000_000  # a fragmented mp4 has two boxes to a fragment


def declared_size(path: Path) -> int | None:
    """Return the size in bytes that a file declares, or None where its format does not say or it is unknown."""
    with open(path, "rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _end_of_boxes(file, path.stat().st_size)
        if head[:4] == b"RIFF":
            return _end_of_riff(file, path.stat().st_size)
        if head[:4] == EBML:
            return _end_of_segment(file)
    return None


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    position = 0
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return position + (8 if head else 0)
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:  # the true length follows in 64 bits
            length = struct.unpack(">Q", head[8:])[0]
        if length == 0:  # to the end of the file
            return size
        position += max(length, 8)
        if position >= size:
            break
    return position


def _end_of_riff(file: BinaryIO, size: int) -> int | None:
    position = 0
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            break  # the end, or bytes behind the last chunk
        length = struct.unpack("<I", head[4:])[0]
        if length == 0:  # written to a pipe, never filled in
            return None
        position += 8 + length
        if position >= size:
            break
    return position


def _end_of_segment(file: BinaryIO) -> int | None:
    file.seek(4)
    header = _variable_length(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != SEGMENT:
        return None
    length = _variable_length(file)
    return None if length is None else file.tell() + length


def _variable_length(file: BinaryIO) -> int | None:
    """Read an EBML length: as many bytes as the first has leading zeros and one, all ones meaning unknown."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    count = 9 - first[0].bit_length()
    rest = file.read(count - 1)
    value = int.from_bytes(first + rest, "big") - (1 << 7 * count)
    return None if value == (1 << 7 * count) - 1 else value
