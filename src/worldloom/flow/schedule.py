"""The noise levels that a sampler visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from worldloom.flow.timestep import shift_timestep

if TYPE_CHECKING:
    from jaxtyping import Float

# Wan's schedules divide [1, 1/1000] and add 0 at the end, so the last interval is the shorter one.
SMALLEST_SIGMA = 1e-3


def shifted_sigmas(num_steps: int, shift: float = 1.0) -> Float[Tensor, " num_steps+1"]:
    """Return num_steps + 1 descending levels from 1 to 0, evenly spaced before the shift; fp32 on the CPU."""
    if num_steps < 1:
        raise ValueError(f"num_steps is {num_steps}; it must be at least 1")
    even = torch.linspace(1.0, SMALLEST_SIGMA, num_steps + 1, dtype=torch.float64)[:-1]
    return torch.cat([shift_timestep(even, shift), torch.zeros(1, dtype=torch.float64)]).float()
