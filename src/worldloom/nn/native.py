"""The kernels that PyTorch's operations cannot make, in C, where the machine has a compiler.

`cc` turns the sources in `c` into one shared library, once, in two seconds, and the user's cache keeps it. Where there
is no compiler, or bf16 is slow, callers go on with PyTorch; `worldloom doctor` says which it is.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from worldloom.core.device import cpu_has_fast_bf16, has_amx

FOLDER = Path(__file__).with_name("c")
FLAGS = ("-O3", "-std=gnu11", "-shared", "-fPIC", "-mavx512f", "-mavx512vl", "-mavx512bf16")
TILE_FLAGS = ("-mamx-tile", "-mamx-bf16")
"""No flag for this very processor: `cpu_has_fast_bf16` and `has_amx` have seen that it knows the instructions."""
LANES = 16
"""Of the kernels: channels come in multiples of it."""
BLOCK = 32
"""Of the kernels that multiply matrices: their sizes come in multiples of it."""
VALUES_PER_THREAD = 131_072
"""Less work than this is not worth another thread."""
SWITCH = "WORLDLOOM_NATIVE"
COMPILE_SECONDS = 60
_aside: ContextVar[bool] = ContextVar("aside", default=False)


class UnavailableError(Exception):
    """Why there are no kernels here."""


@dataclass(frozen=True)
class PerThread:
    """An argument [threads, ...] of which every thread is handed a row of its own."""

    rows: Tensor


Argument = Tensor | PerThread | int | float | None


def takes(*tensors: Tensor) -> bool:
    """Whether the kernels can work on all of these: bf16 [..., C] on the CPU in one stretch of memory, C in whole lanes."""
    fit = all(
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and x.is_contiguous()
        and x.shape[-1] % LANES == 0
        for x in tensors
    )
    return fit and available()


def available() -> bool:
    """Whether kernels are there and wanted: not while PyTorch compiles, nor within `aside`."""
    return not torch.compiler.is_compiling() and not _aside.get() and why_not() is None


@contextmanager
def aside() -> Iterator[None]:
    """Leave all to PyTorch's operations meanwhile, which those that count operations can see."""
    token = _aside.set(True)
    try:
        yield
    finally:
        _aside.reset(token)


def why_not() -> str | None:
    """Return why there are no kernels on this machine, or None where there are; the first call may compile them."""
    return _state()[1]


def call(name: str, *arguments: Argument, count: int, size: int) -> None:
    """Run a kernel on `count` pieces of work of `size` values each, shared out to PyTorch's number of threads.

    Of tensors the kernel sees the address alone: keep to the shapes and dtypes that its source names. What it is
    handed last are the first piece and the one after the last.
    """
    kernel = getattr(_library(), name)
    threads = thread_count(count, size)
    step = -(-count // threads)

    def work(thread: int) -> None:
        first = thread * step
        if first < count:
            places = (_passed(argument, thread) for argument in arguments)
            kernel(*places, ctypes.c_int64(first), ctypes.c_int64(min(first + step, count)))

    if threads == 1:
        work(0)
    else:
        list(_pool(threads).map(work, range(threads)))


def thread_count(count: int, size: int) -> int:
    """Return on how many threads `call` does `count` pieces of `size` values."""
    return max(1, min(torch.get_num_threads(), count, count * size // VALUES_PER_THREAD))


def scratch(name: str, *arguments: Argument, count: int, size: int) -> PerThread:
    """Return the memory that the kernel of that name works in, as its source says, for such a `call`."""
    function = getattr(_library(), f"{name}_scratch")
    function.restype = ctypes.c_int64
    needed = function(*(_passed(argument, 0) for argument in arguments))
    return PerThread(torch.empty(thread_count(count, size), needed, dtype=torch.uint8))


def _passed(argument: Argument, thread: int) -> ctypes.c_void_p | ctypes.c_int64 | ctypes.c_float | None:
    match argument:
        case PerThread(rows):
            return ctypes.c_void_p(rows[thread].data_ptr())
        case Tensor():
            return ctypes.c_void_p(argument.data_ptr())
        case int():
            return ctypes.c_int64(argument)
        case float():
            return ctypes.c_float(argument)
    return None


def _library() -> ctypes.CDLL:
    library, reason = _state()
    assert library is not None, reason
    return library


@cache
def _state() -> tuple[ctypes.CDLL | None, str | None]:
    try:
        library = ctypes.CDLL(str(_built()))
    except (UnavailableError, OSError) as error:
        return None, str(error)
    if has_amx() and library.request_tiles() != 0:
        return None, "the system does not let this process use AMX"
    return library, None


def _built() -> Path:
    """Return the compiled library, from the cache or new; raises UnavailableError or OSError."""
    if os.environ.get(SWITCH) == "0":
        raise UnavailableError(f"switched off by {SWITCH}=0")
    if not cpu_has_fast_bf16():
        raise UnavailableError("made for processors that are fast in bf16")
    flags = (*FLAGS, *TILE_FLAGS) if has_amx() else FLAGS
    sources = sorted(FOLDER.glob("*.c"))
    text = b"".join(path.read_bytes() for path in sorted(FOLDER.iterdir()))
    key = hashlib.sha256(text + " ".join(flags).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "worldloom"
    library = folder / f"kernels-{key}.so"
    if library.is_file():
        return library
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        raise UnavailableError("no C compiler on the search path")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as part:
        made = Path(part) / library.name
        command = [compiler, *flags, *map(str, sources), "-lm", "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS)
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{compiler} took more than {COMPILE_SECONDS} s") from None
        if done.returncode:
            raise UnavailableError(
                f"{compiler} failed: {(done.stderr.strip().splitlines() or ['no message'])[0]}"
            )
        made.replace(library)
    return library


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")


# a child of a fork has none of its parent's threads
os.register_at_fork(after_in_child=_pool.cache_clear)
