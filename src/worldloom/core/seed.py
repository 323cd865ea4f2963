"""Randomness by derivation: every draw names what it is for, so no draw depends on what was drawn before it.

A generator made from (seed, step, rank, purpose) is the same whether the run was resumed, which worker asked
and what else was drawn. That is what makes an interrupted run end in the same bits as an unbroken one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

SEED_BITS = 63  # what torch.Generator.manual_seed and a signed 64-bit JSON reader both take


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2**63) from the SHA-256 of the parts.

    The parts are written with kind and length, so `("ab", "c")`, `("a", "bc")` and `(1,)`, `("1",)` all
    differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | str):
            raise TypeError(f"a seed part is an int or a str, not {type(part).__name__}: {part!r}")
        text = str(part).encode()
        digest.update(f"{'s' if isinstance(part, str) else 'i'}{len(text)}:".encode() + text)
    return int.from_bytes(digest.digest()[:8], "big") >> (64 - SEED_BITS)


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """Return a NumPy generator (PCG64) seeded by `derive_seed(*parts)`."""
    return np.random.Generator(np.random.PCG64(derive_seed(*parts)))


def torch_generator(*parts: int | str, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a torch generator on `device` seeded by `derive_seed(*parts)`.

    Draw on the CPU and move the result where the same numbers must come out on every device.
    """
    import torch  # on first use: the render workers that need numpy_generator stay light

    return torch.Generator(device=device).manual_seed(derive_seed(*parts))
