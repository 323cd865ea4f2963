"""Files that appear whole or not at all, their hashes, and JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worldloom.core.error import Failure, UsageError

# Conditions of the machine rather than of the request; every other OSError passes through as the bug it is.
MACHINE_TROUBLE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would exceed the size limit",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "input/output error",
    errno.ENAMETOOLONG: "the name is too long",
}


def check_target(path: str | os.PathLike[str], force: bool = False) -> Path:
    """Return `path` as a Path if a file may be written there; call it before long work, not after.

    Raises UsageError for a missing folder, a folder in the file's place, or an existing file without `force`.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: the folder {target.parent} does not exist")
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder, give a file name")
    if target.exists() and not force:
        raise UsageError(f"{target} exists already; give another name or --force to replace it")
    return target


@contextmanager
def whole_file(path: str | os.PathLike[str], force: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it is synced and renamed to `path`.

    On any exception, an interrupt included, the temporary is removed. The temporary keeps the suffix, so
    encoders that choose a format by name choose the right one. Raises UsageError as `check_target` does, and
    Failure when the disk is full or the folder cannot be written.
    """
    target = check_target(path, force)
    temporary = target.with_name(f".{target.stem[:100]}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        _claim(temporary, target)
        with machine_trouble(target):
            yield temporary
            sync(temporary)
            check_target(target, force)  # someone else may have written it meanwhile
            os.replace(temporary, target)
            sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _claim(temporary: Path, target: Path) -> None:
    """Take the temporary's name, which proves before any work is done that the folder can be written."""
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror}") from error


@contextmanager
def machine_trouble(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the OSErrors that mean trouble with the machine into a Failure naming `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in MACHINE_TROUBLE:
            raise
        raise Failure(f"cannot write {path}: {MACHINE_TROUBLE[error.errno]}") from error


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk, so that a rename that is seen has its content behind it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: str | os.PathLike[str], obj: Any, force: bool = True) -> None:
    """Write `obj` as indented UTF-8 JSON, whole or not at all, by default over an existing file."""
    text = json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with whole_file(path, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the JSON in a file; a missing file is a UsageError, a damaged one a Failure."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is not a file")
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{path} is not valid JSON: {error}") from error
