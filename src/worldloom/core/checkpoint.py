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

from worldloom.core.error import Failure
from worldloom.core.file import read_json, sha256_of, write_json
from worldloom.core.weights import TensorInfo, Weights, listed, write_tensors

MANIFEST_NAME = "manifest.json"
METADATA_KEY = "worldloom"


def save_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    metadata: Mapping[str, Any] | None = None,
    force: bool = True,
) -> None:
    """Write tensors and JSON-able metadata as one safetensors file; equal content gives equal bytes."""
    # "format" is what transformers and diffusers ask for.
    header = {"format": "pt", METADATA_KEY: json.dumps(dict(metadata or {}), sort_keys=True, allow_nan=False)}
    info = {name: TensorInfo(tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    write_tensors(path, info, tensors.__getitem__, header, force)


def load_tensors(
    path: str | os.PathLike[str],
    expected: Mapping[str, Sequence[int]] | None = None,
    device: str | torch.device = "cpu",
) -> dict[str, torch.Tensor]:
    """Read a safetensors file or an index of shards; `expected` are the shapes of all tensors there must be.

    Raises UsageError for a pickle or a missing file, Failure for a damaged file, a missing shard and for missing,
    extra or misshapen tensors, naming them.
    """
    weights = Weights(path)
    if expected is not None:
        weights.check(expected)
    return {name: weights.read(name).to(device) for name in weights.info}


def load_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the metadata that `save_tensors` stored beside the tensors, or {}."""
    try:
        return json.loads(Weights(path).metadata.get(METADATA_KEY, "{}"))
    except json.JSONDecodeError as error:
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
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {what}"
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
