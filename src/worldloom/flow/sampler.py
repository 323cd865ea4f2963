"""Samplers: from noise to clean latents along the velocity field, as pure functions of (denoiser, noise, sigmas).

A denoiser is `denoiser(noisy, t) -> velocity`, where t is one entry of `sigmas`: 0-D, or per token. `sigmas` is
[S+1] or [S+1, ...] whose trailing shape broadcasts to the latents. It never rises, and ends at 0. Cells whose
level does not change in a step come out of it bit for bit, so known cells (level 0 throughout) are never touched
and cells of a rolling window wait at their level until it is their turn.

Coefficients are computed in fp64 from the levels, latents stay in their dtype (fp32 is meant).

`on_step(step, clean)` is called in each step, counted from 1, with the current estimate of the clean latents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from worldloom.flow.path import clean_from

if TYPE_CHECKING:
    from jaxtyping import Float

Denoiser = Callable[[Tensor, Tensor], Tensor]
OnStep = Callable[[int, Tensor], None]

# The logarithm of the signal-to-noise ratio is -inf at level 1; UniPC starts this much below it, as Wan's does.
BELOW_PURE_NOISE = 1e-6


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
        _report(on_step, step, x, velocity, sigma)
        x = _keep_still(x, x + (following - sigma) * velocity, sigma, following)
    return x


def heun(
    denoiser: Denoiser,
    noise: Float[Tensor, "B C f h w"],
    sigmas: Float[Tensor, "S+1 ..."],
    on_step: OnStep | None = None,
) -> Float[Tensor, "B C f h w"]:
    """Second order: average the velocities at both ends of a step. Two evaluations per step, but for the last.

    Cells that arrive at 0 take an Euler step, because velocity at level 0, where no noise is left to see, is not
    defined (arXiv 2206.00364, algorithm 1).
    """
    x, sigmas = noise, _checked(sigmas, noise)
    arrived = [bool((levels == 0).all()) for levels in sigmas]
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        velocity = denoiser(x, sigma)
        _report(on_step, step, x, velocity, sigma)
        moved = _keep_still(x, x + (following - sigma) * velocity, sigma, following)
        if not arrived[step + 1]:
            mean = (velocity + denoiser(moved, following)) / 2
            slope = torch.where(following == 0, velocity, mean)
            moved = _keep_still(x, x + (following - sigma) * slope, sigma, following)
        x = moved
    return x


def unipc(
    denoiser: Denoiser,
    noise: Float[Tensor, "B C f h w"],
    sigmas: Float[Tensor, "S+1 ..."],
    on_step: OnStep | None = None,
) -> Float[Tensor, "B C f h w"]:
    """UniPC of order 2 with B(h) = e^h - 1 on clean estimates (arXiv 2302.04867). One evaluation per step.

    Each step is predicted from the clean estimates at its start and one step earlier, and corrected when the
    estimate at its end is known. The first step, the last one, and a cell's first and last are of order 1.
    """
    x, sigmas = noise, _checked(sigmas, noise).clamp(max=1 - BELOW_PURE_NOISE)
    visited: list[_Visit] = []
    for step in range(len(sigmas) - 1):
        velocity = denoiser(x, sigmas[step])
        _report(on_step, step, x, velocity, sigmas[step])
        clean = clean_from(x, velocity, sigmas[step])
        if visited:
            x = _correct(x, clean, visited, sigmas[step])
        visited = [*visited[-1:], _Visit(sigmas[step], x, clean)]
        x = _predict(visited, sigmas[step + 1], is_last=step == len(sigmas) - 2)
    return x


class _Visit(NamedTuple):
    """A level that UniPC has been at, with the corrected latents and the clean estimate there."""

    sigma: Tensor
    x: Tensor
    clean: Tensor


def _predict(visited: list[_Visit], following: Tensor, is_last: bool) -> Tensor:
    """Return the latents at the next level, from the estimates at this one and, where there is one, the last."""
    here = visited[-1]
    _, weight, base = _exponential_step(here, following)
    if len(visited) == 2 and not is_last:
        ratio, usable = _ratio(visited, following)
        slope = torch.where(usable, 0.5 * weight / ratio, 0.0).to(here.x.dtype)
        base = base - slope * (visited[0].clean - here.clean)
    return _keep_still(here.x, base, here.sigma, following)


def _correct(predicted: Tensor, clean: Tensor, visited: list[_Visit], sigma: Tensor) -> Tensor:
    """Return the latents at `sigma` once more, now that the clean estimate there is known."""
    start = visited[-1]
    h, weight, base = _exponential_step(start, sigma)
    new, old = torch.full_like(h, 0.5), torch.zeros_like(h)
    if len(visited) == 2:
        ratio, usable = _ratio(visited, sigma)
        # rho solves [[1, 1], [ratio, 1]] (rho_old, rho_new) = (b_1, b_2), equation 13 of the paper
        phi_1 = torch.expm1(-h)
        phi_2 = phi_1 / -h - 1
        phi_3 = phi_2 / -h - 0.5
        b_1, b_2 = phi_2 / phi_1, 2 * phi_3 / phi_1
        rho_old = (b_1 - b_2) / (1 - ratio)
        new, old = torch.where(usable, b_1 - rho_old, new), torch.where(usable, rho_old / ratio, old)
    base = base - (weight * new).to(base.dtype) * (clean - start.clean)
    if len(visited) == 2:
        base = base - (weight * old).to(base.dtype) * (visited[0].clean - start.clean)
    return _keep_still(predicted, base, start.sigma, sigma)


def _exponential_step(start: _Visit, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return h, alpha * (e^-h - 1), and the latents that a constant clean estimate leads to at `sigma`."""
    h = _log_ratio(sigma) - _log_ratio(start.sigma)
    weight = (1 - sigma.double()) * torch.expm1(-h)
    scale = sigma.double() / start.sigma.double()
    return h, weight, scale.to(start.x.dtype) * start.x - weight.to(start.x.dtype) * start.clean


def _ratio(visited: list[_Visit], sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last step's length over this one's (negative), and where it can carry a second-order term."""
    before, here = _log_ratio(visited[0].sigma), _log_ratio(visited[1].sigma)
    ratio = (before - here) / (_log_ratio(sigma) - here)
    return ratio, torch.isfinite(ratio) & (ratio < 0)


def _log_ratio(sigma: Tensor) -> Tensor:
    """Return lambda = log(alpha / sigma) with alpha = 1 - sigma, fp64; +inf at level 0."""
    sigma = sigma.double()
    return torch.log1p(-sigma) - torch.log(sigma)


def _checked(sigmas: Tensor, noise: Tensor) -> Tensor:
    if sigmas.ndim == 0 or len(sigmas) < 2:
        raise ValueError(
            f"sigmas have shape {tuple(sigmas.shape)}; allowed is [S+1, ...] with at least one step"
        )
    low, high = float(sigmas.min()), float(sigmas.max())
    if not (low >= 0 and high <= 1 and bool((sigmas[1:] <= sigmas[:-1]).all())):
        raise ValueError(f"sigmas range from {low:g} to {high:g}; they must lie within 0..1 and never rise")
    return sigmas.to(noise.device)


def _report(on_step: OnStep | None, step: int, x: Tensor, velocity: Tensor, sigma: Tensor) -> None:
    if on_step is not None:
        on_step(step + 1, _keep_still(x, clean_from(x, velocity, sigma), sigma, torch.zeros_like(sigma)))


def _keep_still(old: Tensor, new: Tensor, sigma: Tensor, following: Tensor) -> Tensor:
    """Return `new` where the noise level changed and `old`, to the bit, where it did not."""
    return torch.where(sigma == following, old, new)
