"""Tensors on disk, read and written one by one: a safetensors file, or the shards that an index names.

A file is a header of names, dtypes, shapes and places, then the bytes (safetensors' format, little-endian). Nothing
is read before it is asked for, and a file is written from any source of tensors without holding two at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json, whole_file
from worldloom.core.tensor_file import DTYPES, TensorFile, TensorInfo

SUFFIX, INDEX_SUFFIX = ".safetensors", ".safetensors.index.json"
PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
NAMED = 5  # how many of many wrong names a message lists
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Weights:
    """The tensors of one safetensors file, or of the shards named by a `.safetensors.index.json`.

    `info` gives every tensor's shape and dtype. Raises UsageError for a pickle, a file of another kind and one that is
    not there; Failure for a damaged file, a missing shard and an index that does not fit its shards.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.files = _shards(self.path)
        self._place: dict[str, tuple[TensorFile, str]] = {}  # and the name it has there
        self.info: dict[str, TensorInfo] = {}
        opened = [TensorFile(file) for file in self.files]
        self.metadata = opened[0].metadata
        for file in opened:
            for name, info in file.info.items():
                if name in self._place:
                    raise Failure(
                        f"{self.path}: the tensor {name} is in both {self._place[name][0].path.name} and {file.path.name}"
                    )
                self._place[name], self.info[name] = (file, name), info
        if self.path.name.endswith(INDEX_SUFFIX):
            self._check_index()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: info.shape for name, info in self.info.items()}

    def read(self, name: str, part: int = 0, parts: int = 1) -> torch.Tensor:
        """Return a tensor on the CPU, or part number `part` of `parts` equal ones along its first axis."""
        shape, dtype = self.info[name]
        rows = shape[0] // parts if shape else 0
        out = torch.empty((rows, *shape[1:]) if shape else (), dtype=dtype)
        file, stored = self._place[name]
        file.read_into(stored, out, part * rows)
        return out

    def read_into(self, name: str, out: torch.Tensor) -> None:
        """Fill `out`, contiguous and of the tensor's shape, on any device and in any number format."""
        file, stored = self._place[name]
        file.read_into(stored, out)

    def read_rows(self, name: str, numbers: Sequence[int]) -> torch.Tensor:
        """Return rows of a tensor, as stored, in the order asked for; nothing else of it is read."""
        file, stored = self._place[name]
        return file.read_rows(stored, numbers)

    def rename(self, old: str, new: str) -> None:
        """Let a tensor be known by another name from now on."""
        self.info[new], self._place[new] = self.info.pop(old), self._place.pop(old)

    def check(self, expected: Mapping[str, Sequence[int]]) -> None:
        """Raise Failure that names missing, unknown and misshapen tensors, unless there are exactly `expected`."""
        missing = [name for name in expected if name not in self.info]
        extra = [name for name in self.info if name not in expected]
        if missing or extra:
            parts = [f"lacks the tensors {listed(missing)}"] if missing else []
            parts += [f"has the unknown tensors {listed(extra)}"] if extra else []
            raise Failure(f"{self.path} {' and '.join(parts)}")
        for name, shape in expected.items():
            if (found := self.info[name].shape) != tuple(shape):
                raise Failure(
                    f"{self.path}: the tensor {name} has the shape {found}; it must be {tuple(shape)}"
                )

    def _check_index(self) -> None:
        index = read_json(self.path)["weight_map"]
        placed = {name: file.path.name for name, (file, _) in self._place.items()}
        strays = [name for name, file in index.items() if placed.get(name) != file]
        strays += [name for name in placed if name not in index]
        if strays:
            raise Failure(f"{self.path} does not fit its shards: {listed(strays)} are not where it says")


def find_weights(folder: Path) -> Path:
    """Return the one safetensors file, or the one index of shards, directly in a folder.

    Raises UsageError that names what is wrong: nothing there, pickles only, several candidates.
    """
    indexes = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
    named = {shard for index in indexes for shard in shard_names(index)}
    singles = [path for path in sorted(folder.glob(f"*{SUFFIX}")) if path.name not in named]
    found = [*indexes, *singles]
    if len(found) == 1:
        return found[0]
    if found:
        names = listed([path.name for path in found])
        raise UsageError(
            f"{folder} holds several sets of weights, {names}; give one of the files, or keep one"
        )
    if pickles := sorted(path.name for path in folder.glob("*") if path.suffix.lower() in PICKLES):
        raise UsageError(f"{folder} holds no {SUFFIX} file but the {pickle_warning(pickles)}")
    raise UsageError(f"{folder} holds no weights: no {SUFFIX} file and no {INDEX_SUFFIX}")


def write_tensors(
    path: str | os.PathLike[str],
    info: Mapping[str, TensorInfo],
    read: Callable[[str], torch.Tensor],
    metadata: Mapping[str, str],
    force: bool = True,
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Write the tensors of `info`, each fetched by `read(name)` when its turn comes, as one safetensors file.

    Equal content gives equal bytes: tensors lie in order of item size and name, and the metadata of its keys
    (safetensors' own writer orders it by a hash table that differs from process to process). `on_bytes` is told of
    every tensor's bytes when they are written.
    """
    require_safetensors(Path(path))
    order = sorted(info, key=lambda name: (-info[name].dtype.itemsize, name))
    with whole_file(path, force) as temporary, open(temporary, "wb") as file:
        file.write(_header(info, order, metadata))
        for name in order:
            tensor = read(name).detach().to("cpu", info[name].dtype).contiguous()
            assert tuple(tensor.shape) == info[name].shape, (name, tensor.shape, info[name].shape)
            if tensor.numel():
                file.write(tensor.reshape(-1).view(torch.uint8).numpy().data)
            if on_bytes is not None:
                on_bytes(info[name].bytes)


def require_safetensors(path: Path) -> None:
    """Raise UsageError for a file name that is not that of a safetensors file, a pickle by its own sentence."""
    if path.suffix.lower() in PICKLES:
        raise UsageError(
            f"{path} is a pickle, which can run any code when it is loaded; give a {SUFFIX} file"
        )
    if path.suffix != SUFFIX:
        raise UsageError(f"{path} is no weight file; allowed: {SUFFIX}")


def pickle_warning(names: Sequence[str]) -> str:
    """Return what is said of pickles among the files given."""
    one = len(names) == 1
    return (
        f"{'pickle' if one else 'pickles'} {listed(names)}, which can run any code when loaded; "
        f"convert {'it' if one else 'them'} to safetensors first"
    )


def listed(names: Sequence[str]) -> str:
    """Return names for a message, the first few and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _header(info: Mapping[str, TensorInfo], order: list[str], metadata: Mapping[str, str]) -> bytes:
    content: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    place = 0
    for name in order:
        following = place + info[name].bytes
        kind = DTYPE_NAMES[info[name].dtype]
        content[name] = {"dtype": kind, "shape": info[name].shape, "data_offsets": [place, following]}
        place = following
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    text = text.ljust(-(-len(text) // 8) * 8)  # so that the tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text


def _shards(path: Path) -> tuple[Path, ...]:
    if not path.name.endswith(INDEX_SUFFIX):
        require_safetensors(path)
        if not path.is_file():
            raise UsageError(f"{path} does not exist or is not a file")
        return (path,)
    files = tuple(path.with_name(name) for name in shard_names(path))
    if missing := [file.name for file in files if not file.is_file()]:
        verb = "is" if len(missing) == 1 else "are"
        raise Failure(f"{path.parent}: {listed(missing)} of {len(files)} shards {verb} missing")
    for file in files:
        require_safetensors(file)
    return files


def shard_names(index: Path) -> list[str]:
    """Return the names of the files that an index of shards names, beside which they lie."""
    content = read_json(index)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places:
        raise Failure(f"{index} is damaged: it holds no 'weight_map'")
    names = sorted(set(places.values()))
    if any(Path(str(name)).name != name for name in names):
        raise Failure(f"{index} is damaged: it names shards outside its folder")
    return names
