"""Classifier-free guidance: push the velocity away from what the model would do without the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float


def guide(
    conditional: Float[Tensor, "B ..."],
    unconditional: Float[Tensor, "B ..."],
    scale: float,
    rescale: float = 0.0,
) -> Float[Tensor, "B ..."]:
    """Return unconditional + scale * (conditional - unconditional) (arXiv 2207.12598); scale 1 is no guidance.

    `rescale` in [0, 1] brings each sample's standard deviation that far back to the conditional one's, against
    the over-exposure of large scales (arXiv 2305.08891, section 3.4).
    """
    if not 0 <= rescale <= 1:
        raise ValueError(f"rescale is {rescale}; it must be within 0..1")
    guided = torch.lerp(unconditional, conditional, scale)
    if rescale == 0:
        return guided
    cells = tuple(range(1, guided.ndim))
    ratio = conditional.std(cells, keepdim=True) / guided.std(cells, keepdim=True)
    return guided * (rescale * ratio + (1 - rescale))


def guided_steps(
    sigmas: Float[Tensor, "S+1 ..."], scale: float, interval: tuple[float, float] = (0.0, 1.0)
) -> list[bool]:
    """Return, for each of the S steps, whether it is worth an unconditional evaluation.

    Guidance outside a middle interval of noise levels costs time and variety and gains nothing (arXiv
    2404.07724). Known beforehand, the decision needs no look at the device within the loop. With per-token levels
    the highest counts; scale 1 needs guidance nowhere.
    """
    low, high = interval
    if not 0 <= low <= high <= 1:
        raise ValueError(f"guidance interval is {low}..{high}; it must lie within 0..1, low end first")
    highest = sigmas[:-1].flatten(1).amax(1) if sigmas.ndim > 1 else sigmas[:-1]
    return [scale != 1 and low <= level <= high for level in highest.tolist()]
