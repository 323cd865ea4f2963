"""The one kernel that PyTorch's operations cannot make, in C, where the machine has a compiler.

`cc` turns `norm_silu.c` into a shared library once, in a fifth of a second, and the user's cache keeps it. Where there
is no compiler, or no AVX512-BF16, callers go on with PyTorch; `worldloom doctor` says which it is.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from worldloom.core.device import has_amx

SOURCE = Path(__file__).with_name("norm_silu.c")
FLAGS = ("-O3", "-std=c11", "-mavx512f", "-mavx512vl", "-mavx512bf16", "-shared", "-fPIC")
"""No flag for this very processor: `has_amx` has seen that it knows the instructions."""
LANES = 16
"""Of the kernel: channels come in multiples of it."""
VALUES_PER_THREAD = 131_072
"""Less work than this is not worth another thread."""
SWITCH = "WORLDLOOM_NATIVE"
COMPILE_SECONDS = 60


class UnavailableError(Exception):
    """Why there is no kernel here."""


def takes(rows: Tensor) -> bool:
    """Whether `norm_silu` is there for rows [..., C] like these."""
    fit = rows.dtype == torch.bfloat16 and rows.device.type == "cpu" and rows.is_contiguous()
    return fit and rows.shape[-1] % LANES == 0 and why_not() is None


def why_not() -> str | None:
    """Return why there is no kernel on this machine, or None where there is; the first call may compile it."""
    return _state()[1]


def norm_silu(rows: Tensor, gain: Tensor, out: Tensor, inverse: Tensor) -> None:
    """Fill `out` with silu(rows / |rows| * gain) and `inverse` with 1 / |rows|; see `takes`.

    rows and out are bf16 [N, C], gain fp32 [C], inverse fp32 [N, 1], all in one stretch of memory each.
    """
    kernel, reason = _state()
    assert kernel is not None, reason
    count, channels = rows.shape
    threads = min(torch.get_num_threads(), max(1, rows.numel() // VALUES_PER_THREAD))
    step = -(-count // threads)

    def work(first: int) -> None:
        places = (rows[first:], gain, out[first:], inverse[first:])
        kernel(*(place.data_ptr() for place in places), min(step, count - first), channels)

    if threads == 1:
        work(0)
    else:
        list(_pool(threads).map(work, range(0, count, step)))


@cache
def _state() -> tuple[Callable[..., None] | None, str | None]:
    try:
        kernel = ctypes.CDLL(str(_built())).norm_silu
    except (UnavailableError, OSError) as error:
        return None, str(error)
    kernel.restype, kernel.argtypes = None, [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2
    return kernel, None


def _built() -> Path:
    """Return the compiled library, from the cache or new; raises UnavailableError or OSError."""
    if os.environ.get(SWITCH) == "0":
        raise UnavailableError(f"switched off by {SWITCH}=0")
    if not has_amx():
        raise UnavailableError("made for processors with AMX, which alone compute in bf16 here")
    source = SOURCE.read_bytes()
    key = hashlib.sha256(source + " ".join(FLAGS).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "worldloom"
    library = folder / f"norm_silu-{key}.so"
    if library.is_file():
        return library
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        raise UnavailableError("no C compiler on the search path")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as part:
        made = Path(part) / library.name
        command = [compiler, *FLAGS, str(SOURCE), "-o", str(made)]
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
    return ThreadPoolExecutor(threads, thread_name_prefix="norm-silu")


# a child of a fork has none of its parent's threads
os.register_at_fork(after_in_child=_pool.cache_clear)
