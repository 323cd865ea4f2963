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


def is_guided(t: Tensor, interval: tuple[float, float] = (0.0, 1.0)) -> bool:
    """Return whether noise level t, a number or one per token, is worth an unconditional evaluation.

    Guidance outside a middle interval of noise levels costs time and variety and gains nothing (arXiv 2404.07724).
    With per-token levels the highest counts. The whole range is answered without a look at the device.
    """
    low, high = interval
    if not 0 <= low <= high <= 1:
        raise ValueError(f"guidance interval is {low}..{high}; it must lie within 0..1, low end first")
    return (low, high) == (0, 1) or low <= float(t.max()) <= high
