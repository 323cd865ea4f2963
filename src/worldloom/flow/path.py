"""The straight path between data and noise, and the only place where its sign is fixed.

t = 0 is clean and t = 1 is noise (rectified flow, arXiv 2209.03003):

    noisy(t) = (1 - t) * clean + t * noise        velocity = d noisy / dt = noise - clean

Everywhere below, t is a number, [B] (one level per sample) or anything that broadcasts to the latents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float


def interpolate(
    clean: Float[Tensor, "B ..."], noise: Float[Tensor, "B ..."], t: Tensor | float
) -> Float[Tensor, "B ..."]:
    """Return the latents at noise level t; exactly `clean` where t is 0 and exactly `noise` where it is 1."""
    t = level_for(t, clean)
    return (1 - t) * clean + t * noise


def velocity(clean: Float[Tensor, "B ..."], noise: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
    """Return what the model learns to predict."""
    return noise - clean


def clean_from(
    noisy: Float[Tensor, "B ..."], velocity: Float[Tensor, "B ..."], t: Tensor | float
) -> Float[Tensor, "B ..."]:
    """Return the clean latents that a velocity at level t implies: noisy - t * velocity."""
    return noisy - level_for(t, noisy) * velocity


def noise_from(
    noisy: Float[Tensor, "B ..."], velocity: Float[Tensor, "B ..."], t: Tensor | float
) -> Float[Tensor, "B ..."]:
    """Return the noise that a velocity at level t implies: noisy + (1 - t) * velocity."""
    return noisy + (1 - level_for(t, noisy)) * velocity


def level_for(t: Tensor | float, latents: Float[Tensor, "B ..."]) -> Tensor:
    """Return t in a shape that broadcasts to the latents; [B] becomes [B, 1, 1, ...]."""
    t = torch.as_tensor(t, dtype=latents.dtype, device=latents.device)
    if t.ndim != 1:
        return t
    if t.shape[0] not in (1, latents.shape[0]):
        raise ValueError(f"{t.shape[0]} noise levels do not fit {latents.shape[0]} samples")
    return t.view(-1, *[1] * (latents.ndim - 1))
