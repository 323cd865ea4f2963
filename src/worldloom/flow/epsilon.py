"""Epsilon scaling: what a denoiser takes for noise at low levels is taken for more, or less.

An estimate that hardly knows what lies under the noise leaves part of it where it is: at level 0.3 the packaged model
finds 0.86 of it, at 0.1 0.6. What is left differs from latent frame to latent frame, so floors tremble. Ning et al. 2023
(arXiv 2308.15321) scale the noise that is predicted instead of training anew. Where frames are given the model knows
what stands still, and continuations lose by it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from worldloom.flow.path import noise_from

BELOW = 0.6
"""Noise level from which on nothing is scaled: there it is decided what is seen, and the estimate of noise is right."""


def scaled_epsilon(
    denoiser: Callable[[Tensor, Tensor], Tensor], scale: float
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a denoiser (noisy [B, C, f, h, w], t) -> velocity whose noise below level `BELOW` is `scale` times as much.

    With noise n = scale * (x + (1 - t) v), the clean latents become (x - t n) / (1 - t), and the velocity n less those.
    """

    def scaled(noisy: Tensor, t: Tensor) -> Tensor:
        velocity = denoiser(noisy, t)
        gain = torch.where(t < BELOW, (scale - 1) / (1 - t).clamp_min(1 - BELOW), 0.0)
        return velocity + gain * noise_from(noisy, velocity, t)

    return scaled
