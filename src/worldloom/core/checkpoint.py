"""Weights on disk: safetensors only, whole or not at all, and a hash for every file.

A safetensors file with a flipped bit loads without a word (20 of 20 did), and a pickle runs whatever code it holds.
So folders carry the SHA-256 of their files, and pickles are refused by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json, sha256_of, whole_file, write_json

MANIFEST_NAME = "manifest.json"
METADATA_KEY = "worldloom"
PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
NAMED = 5  # how many of many wrong names a message lists


def save_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    metadata: Mapping[str, Any] | None = None,
    force: bool = True,
) -> None:
    """Write tensors and JSON-able metadata as one safetensors file; equal content gives equal bytes.

    Tensors are taken to the CPU and made contiguous; two names for one storage are refused by safetensors.
    """
    _require_safetensors(Path(path))
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # "format" is what transformers and diffusers ask for.
    header = {"format": "pt", METADATA_KEY: json.dumps(dict(metadata or {}), sort_keys=True, allow_nan=False)}
    with whole_file(path, force) as temporary:
        save_file(ready, temporary, metadata=header)
        _sort_metadata(temporary)


def load_tensors(
    path: str | os.PathLike[str],
    expected: Mapping[str, Sequence[int]] | None = None,
    device: str | torch.device = "cpu",
) -> dict[str, torch.Tensor]:
    """Read a safetensors file; `expected` gives the shape of every tensor that there must be, and no other.

    Raises UsageError for a pickle or a missing file, Failure for a damaged file and for missing, extra or misshapen
    tensors, naming them.
    """
    path = _checked(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            if expected is not None:
                _check_shapes(path, shapes, expected)
            return {name: file.get_tensor(name) for name in shapes}
    except SafetensorError as error:
        raise Failure(f"{path} is damaged or cut off: {error}") from error


def load_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the metadata that `save_tensors` stored beside the tensors, or {}."""
    path = _checked(path)
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
    except (SafetensorError, json.JSONDecodeError) as error:
        raise Failure(f"{path} is damaged or cut off: {error}") from error


def hash_folder(folder: str | os.PathLike[str], skip: Iterable[str] = ()) -> dict[str, str]:
    """Return {name: SHA-256} of every file below a folder, sorted; hidden files and those in `skip` left out."""
    folder, skipped = Path(folder), set(skip)
    names = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    visible = (name for name in names if not any(part.startswith(".") for part in name.split("/")))
    return {name: sha256_of(folder / name) for name in sorted(visible) if name not in skipped}


def check_hashes(
    folder: str | os.PathLike[str], expected: Mapping[str, str], skip: Iterable[str] = ()
) -> None:
    """Raise Failure naming every file below `folder` that differs, is missing or is not expected."""
    found = hash_folder(folder, skip)
    wrong = {
        "changed": [name for name in found if name in expected and found[name] != expected[name]],
        "missing": [name for name in expected if name not in found],
        "not expected": [name for name in found if name not in expected],
    }
    parts = [
        f"{_list(names)} {'is' if len(names) == 1 else 'are'} {what}"
        for what, names in wrong.items()
        if names
    ]
    if parts:
        raise Failure(f"{folder} does not match its recorded hashes: {', '.join(parts)}")


def write_manifest(folder: str | os.PathLike[str]) -> None:
    """Write the SHA-256 of every file of a folder into its `manifest.json`."""
    write_json(Path(folder) / MANIFEST_NAME, {"sha256": hash_folder(folder, skip=[MANIFEST_NAME])})


def verify_manifest(folder: str | os.PathLike[str]) -> None:
    """Raise Failure unless a folder holds exactly the files of its `manifest.json`, bit for bit."""
    path = Path(folder) / MANIFEST_NAME
    if not path.is_file():
        raise Failure(f"{folder} has no {MANIFEST_NAME}, so its files cannot be checked")
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        raise Failure(f"{path} is damaged: it holds no hashes")
    check_hashes(folder, manifest["sha256"], skip=[MANIFEST_NAME])


def _sort_metadata(path: Path) -> None:
    """Put the metadata into alphabetical order in place.

    safetensors 0.8 writes it in the order of a hash table that differs from process to process, so that equal
    weights would have unequal hashes.
    """
    with open(path, "r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= size, "the same header in another order takes the same room"
        file.seek(8)
        file.write(text.ljust(size))


def _require_safetensors(path: Path) -> None:
    if path.suffix.lower() in PICKLES:
        raise UsageError(
            f"{path} is a pickle, which can run any code when it is loaded; give a .safetensors file"
        )
    if path.suffix != ".safetensors":
        raise UsageError(f"{path} is no weight file; allowed: .safetensors")


def _checked(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    _require_safetensors(path)
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is not a file")
    return path


def _check_shapes(
    path: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, Sequence[int]]
) -> None:
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    if missing or extra:
        parts = [f"lacks the tensors {_list(missing)}"] if missing else []
        parts += [f"has the unknown tensors {_list(extra)}"] if extra else []
        raise Failure(f"{path} {' and '.join(parts)}")
    for name, shape in expected.items():
        if found[name] != tuple(shape):
            raise Failure(f"{path}: the tensor {name} has the shape {found[name]}; it must be {tuple(shape)}")


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
