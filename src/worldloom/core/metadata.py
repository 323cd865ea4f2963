"""What a file says about its own making, as JSON in the text field that every file format has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MARK = "worldloom"  # the key by which our own records are told from a stranger's comment
Metadata = dict[str, Any]


def pack(metadata: Mapping[str, Any], size: tuple[int, int]) -> str:
    """Return the comment text; `size` is the true (width, height), which a codec may have padded to even."""
    record = {MARK: dict(metadata), "width": size[0], "height": size[1]}
    return json.dumps(record, ensure_ascii=True, allow_nan=False)


def unpack(comment: str | None) -> tuple[Metadata, tuple[int, int] | None]:
    """Return (metadata, true size) of a comment, or ({}, None) where it is not one of ours.

    A comment is anyone's to write: what does not have our form in every part is a stranger's, not an error.
    """
    try:
        record = json.loads(comment or "null")
    except (json.JSONDecodeError, RecursionError):
        return {}, None
    if not isinstance(record, dict) or not isinstance(record.get(MARK), dict):
        return {}, None
    width, height = record.get("width"), record.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return record[MARK], (width, height)
    return record[MARK], None
