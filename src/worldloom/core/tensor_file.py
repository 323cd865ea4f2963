"""Tensors read straight from a safetensors file into the memory where they will stay.

A memory-mapped tensor counts as resident once it is touched, does not lie as kernels like it, and a cast makes a
second copy beside it. Here bytes go by `pread` into a buffer that the caller owns: loading needs the weights' final
size and one small piece more, a buffer can be filled again with the next block, and several threads may read.
"""

from __future__ import annotations

import json
import math
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from worldloom.core.error import Failure

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
PIECE = 16 << 20  # bytes held at once of a tensor that changes its number format or goes to another device


class TensorInfo(NamedTuple):
    """What is known of a tensor before it is read."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class TensorFile:
    """An open safetensors file, closed when nothing refers to it any more; `info` says what it holds.

    Raises Failure for a file that is damaged or cut off, or that holds a number format PyTorch lacks.
    """

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt"):
                pass  # checks the header, and that the tensors fill the rest of the file exactly
        except SafetensorError as error:
            raise Failure(f"{path} is damaged or cut off: {error}") from error
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        size = int.from_bytes(os.pread(self._descriptor, 8, 0), "little")
        header = json.loads(os.pread(self._descriptor, size, 8))
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        header = dict(sorted(header.items()))
        if unknown := [name for name, entry in header.items() if entry["dtype"] not in DTYPES]:
            kind = header[unknown[0]]["dtype"]
            raise Failure(f"{path}: the tensor {unknown[0]} is of the unsupported type {kind}")
        self.info = {n: TensorInfo(tuple(e["shape"]), DTYPES[e["dtype"]]) for n, e in header.items()}
        self._position = {name: 8 + size + entry["data_offsets"][0] for name, entry in header.items()}

    def read_into(self, name: str, out: Tensor, row: int = 0) -> None:
        """Fill `out` with a tensor, from its row number `row` on; any device and number format, contiguous."""
        shape, dtype = self.info[name]
        assert out.is_contiguous() and out.shape[1:] == shape[1:], (name, out.shape, shape)
        assert row + len(out) <= shape[0] if shape else not row, (name, row, out.shape, shape)
        position = self._position[name] + row * math.prod(shape[1:]) * dtype.itemsize
        flat = out.view(-1)
        if out.device.type == "cpu" and out.dtype == dtype:
            self._read(position, flat)
            return
        piece = torch.empty(min(PIECE // dtype.itemsize, len(flat)), dtype=dtype)
        for start in range(0, len(flat), max(1, len(piece))):
            part = piece[: len(flat) - start]
            self._read(position + start * dtype.itemsize, part)
            flat[start : start + len(part)].copy_(part)

    def read_rows(self, name: str, numbers: Sequence[int]) -> Tensor:
        """Return rows of a tensor, as stored, in the order asked for; nothing else of it is read."""
        shape, dtype = self.info[name]
        out = torch.empty(len(numbers), *shape[1:], dtype=dtype)
        for index, number in enumerate(numbers):
            self.read_into(name, out[index : index + 1], number)
        return out

    def _read(self, position: int, flat: Tensor) -> None:
        if not len(flat):
            return
        bytes_ = flat.view(torch.uint8).numpy().data
        done = 0
        while done < len(bytes_):  # one call reads 2 GiB at most
            count = os.preadv(self._descriptor, [bytes_[done:]], position + done)
            if count == 0:
                raise Failure(f"{self.path} is damaged or cut off: it ends at byte {position + done}")
            done += count
