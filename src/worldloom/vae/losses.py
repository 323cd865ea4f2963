"""What the autoencoder is trained for: pixels, edges and motion right, latents near a unit Gaussian.

A small moving object covers few pixels and is the first thing a small autoencoder gives up, so pixels that
change between frames weigh more.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LossWeights:
    """Weight of each part, and of moving pixels inside them.

    square: weight of the squared error, which minds large errors on few pixels where `pixel`, the absolute one,
        minds small errors on many.
    motion: how much more a moving pixel weighs than a still one (5: five times).
    things: how much more still it weighs near the centre of a thing that moves, which truth tells; a moving camera
        makes everything move.
    motion_threshold: change between frames, in units of [-1, 1] summed over nothing but the largest channel,
        above which a pixel counts as moving; 0.06 is 8 grey levels of 255.
    motion_reach: pixels around a change that count as well.
    """

    pixel: float = 1.0
    square: float = 0.0
    edge: float = 0.5
    flicker: float = 0.0
    kl: float = 3e-4
    motion: float = 5.0
    things: float = 1.0
    motion_threshold: float = 0.06
    motion_reach: int = 2


def loss(
    video: Tensor,
    reconstruction: Tensor,
    mean: Tensor,
    logvar: Tensor,
    weights: LossWeights | None = None,
    near: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum and its parts, unweighted and detached.

    `video` and `reconstruction` are [B, 3, F, H, W] in [-1, 1]; `mean` and `logvar` [B, C, f, h, w]; `near`
    [B, 1, F, H, W] in [0, 1] tells how near things that move are.
    """
    weights = weights or LossWeights()
    importance = importances(video, weights, near)
    error = reconstruction - video
    parts = {
        "pixel": charbonnier(error, importance),
        "square": (importance * error.square()).mean(),
        "edge": edge_error(error, importance),
        "kl": kl_to_unit_gaussian(mean, logvar),
    }
    scales = {name: getattr(weights, name) for name in parts}
    if weights.flicker and video.shape[2] > 1:
        parts["flicker"], scales["flicker"] = flicker_error(error, importance), weights.flicker
    total = torch.stack([scales[name] * part for name, part in parts.items()]).sum()
    return total, {name: part.detach() for name, part in parts.items()}


@torch.no_grad()
def importances(video: Tensor, weights: LossWeights, near: Tensor | None = None) -> Tensor:
    """Return [B, 1, F, H, W] with mean 1 per batch, more where `video` moves and most where a thing does.

    A pixel moves in frame i when it differs from frame i - 1 or i + 1, so that both the place an object leaves
    and the place it reaches count.
    """
    things = weights.things if near is not None else 1.0
    if video.shape[2] == 1 or weights.motion == things == 1:
        return torch.ones_like(video[:, :1])
    change = (video[:, :, 1:] - video[:, :, :-1]).abs().amax(dim=1, keepdim=True)
    changed = (change > weights.motion_threshold).to(video.dtype)
    moving = torch.maximum(F.pad(changed, (0, 0, 0, 0, 1, 0)), F.pad(changed, (0, 0, 0, 0, 0, 1)))
    reach = weights.motion_reach
    side = 2 * reach + 1
    dilated = F.max_pool3d(moving, (1, side, side), stride=1, padding=(0, reach, reach))
    extra = weights.motion - 1 if near is None else weights.motion * (1 + (things - 1) * near) - 1
    importance = 1 + extra * dilated
    return importance / importance.mean()


def charbonnier(error: Tensor, importance: Tensor, softness: float = 1e-3) -> Tensor:
    """Return the mean of importance * sqrt(error^2 + softness^2): absolute error, smooth at zero."""
    return (importance * (error.square() + softness**2).sqrt()).mean()


def edge_error(error: Tensor, importance: Tensor) -> Tensor:
    """Return the mean absolute difference of the spatial gradients: blur and ringing cost, flat shifts do not."""
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * importance[..., 1:, :]
    right = (error[..., 1:] - error[..., :-1]).abs() * importance[..., 1:]
    return down.mean() + right.mean()


def flicker_error(error: Tensor, importance: Tensor) -> Tensor:
    """Return the mean absolute change of the error from frame to frame: still errors cost nothing."""
    return ((error[:, :, 1:] - error[:, :, :-1]).abs() * importance[:, :, 1:]).mean()


def kl_to_unit_gaussian(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mean, exp(logvar)) || N(0, 1)) per latent value: 0.5 (mean^2 + exp(logvar) - 1 - logvar)."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def sample_posterior(mean: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return mean + exp(logvar / 2) * noise, shaped like `mean`, with gradients to both."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + torch.exp(0.5 * logvar) * noise
