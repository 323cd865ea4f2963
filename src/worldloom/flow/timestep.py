"""Noise levels for training: which t to learn from, and how resolution shifts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float


def logit_normal(
    shape: tuple[int, ...], generator: torch.Generator, mean: float = 0.0, std: float = 1.0
) -> Float[Tensor, "*shape"]:
    """Return t = sigmoid(n), n ~ N(mean, std), in (0, 1): the middle of the path is drawn most (arXiv 2403.03206)."""
    normal = torch.randn(shape, generator=generator, device=generator.device)
    return torch.sigmoid(mean + std * normal)


def shift_timestep(t: Tensor, shift: float) -> Tensor:
    """Return shift * t / (1 + (shift - 1) * t): more tokens need more noise to hide the same content.

    arXiv 2403.03206, section 5.3.2. Monotonic, keeps 0 and 1; shift > 0, and 1 changes nothing.
    """
    if shift <= 0:
        raise ValueError(f"shift is {shift}; it must be above 0")
    return shift * t / (1 + (shift - 1) * t)


def whole_timestep(t: Tensor, steps: int = 1000) -> Tensor:
    """Return t rounded down to a multiple of 1 / steps, as pipelines that count timesteps in integers do."""
    return torch.floor(t.double() * steps).div(steps).to(t.dtype)
