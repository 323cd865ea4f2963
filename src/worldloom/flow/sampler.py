"""Samplers: from noise to clean latents along the velocity field, as pure functions of (denoiser, noise, sigmas).

A denoiser is `denoiser(noisy, t) -> velocity`, where t is one entry of `sigmas`: 0-D, or per token. `sigmas` is
[S+1] or [S+1, ...] whose trailing shape broadcasts to the latents. It never rises, and ends at 0. Cells whose
level does not change in a step come out of it bit for bit, so known cells (level 0 throughout) are never touched
and cells of a rolling window wait at their level until it is their turn.

`on_step(step, clean)` is called after each step, counted from 1, with the current estimate of the clean latents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from worldloom.flow.path import clean_from

if TYPE_CHECKING:
    from jaxtyping import Float

Denoiser = Callable[[Tensor, Tensor], Tensor]
OnStep = Callable[[int, Tensor], None]


def euler(
    denoiser: Denoiser,
    noise: Float[Tensor, "B C f h w"],
    sigmas: Float[Tensor, "S+1 ..."],
    on_step: OnStep | None = None,
) -> Float[Tensor, "B C f h w"]:
    """First order: follow the velocity at the start of each step. One evaluation per step."""
    x, sigmas = noise, _checked(sigmas, noise)
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        velocity = denoiser(x, sigma)
        if on_step is not None:
            clean = _keep_still(x, clean_from(x, velocity, sigma), sigma, torch.zeros_like(sigma))
        x = _keep_still(x, x + (following - sigma) * velocity, sigma, following)
        if on_step is not None:
            on_step(step + 1, clean)
    return x


def _checked(sigmas: Tensor, noise: Tensor) -> Tensor:
    if sigmas.ndim == 0 or len(sigmas) < 2:
        raise ValueError(
            f"sigmas have shape {tuple(sigmas.shape)}; allowed is [S+1, ...] with at least one step"
        )
    return sigmas.to(noise.device)


def _keep_still(old: Tensor, new: Tensor, sigma: Tensor, following: Tensor) -> Tensor:
    """Return `new` where the noise level changed and `old`, to the bit, where it did not."""
    return torch.where(sigma == following, old, new)
