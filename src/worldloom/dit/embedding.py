"""What conditions the transformer, as vectors of its width: noise level, words, a picture, actions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn.fp8 import Fp8Linear
from worldloom.nn.gelu_linear import gelu_linear
from worldloom.nn.linear import Linear

if TYPE_CHECKING:
    from jaxtyping import Float

# Wan's networks were trained on timesteps 0..1000; this repository's t is in [0, 1].
TIMESTEP_SCALE = 1000.0


def sinusoid(t: Float[Tensor, " M"], size: int) -> Float[Tensor, "M size"]:
    """Return cos and sin of 1000 t at size / 2 frequencies from 1 down to 1/10000 (arXiv 1706.03762), fp32."""
    assert size % 2 == 0, f"frequency size {size} is odd"
    half = size // 2
    exponent = torch.arange(half, dtype=torch.float32, device=t.device) / half
    angle = (TIMESTEP_SCALE * t.float())[:, None] * torch.exp(-math.log(10000.0) * exponent)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class Projector(nn.Module):
    """Linear, activation, linear."""

    def __init__(self, in_size: int, hidden_size: int, activation: nn.Module):
        super().__init__()
        self.linear_1 = nn.Linear(in_size, hidden_size)
        self.activation = activation
        self.linear_2 = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Float[Tensor, "*rows in_size"]) -> Float[Tensor, "*rows hidden_size"]:
        return self.linear_2(self.activation(self.linear_1(x)))


class GeluLinear(nn.Module):
    """The first half of a feed-forward net: GELU(x W + b)."""

    def __init__(self, in_size: int, out_size: int, approximate: str):
        super().__init__()
        self.proj = Linear(in_size, out_size)
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.proj, Fp8Linear):
            return F.gelu(self.proj(x), approximate=self.approximate)
        return gelu_linear(x, self.proj.weight, self.proj.bias, self.approximate)


class FeedForward(nn.Module):
    """GELU network of two layers; `net.1` is the place of a dropout in published checkpoints and has no weights."""

    def __init__(self, in_size: int, inner_size: int, out_size: int, approximate: str = "tanh"):
        super().__init__()
        self.net = nn.Sequential(
            GeluLinear(in_size, inner_size, approximate), nn.Identity(), Linear(inner_size, out_size)
        )

    def forward(self, x: Float[Tensor, "*rows in_size"]) -> Float[Tensor, "*rows out_size"]:
        return self.net(x)


class ImageEmbedder(nn.Module):
    """CLIP features of a reference picture to context tokens (Wan 2.1 image to video).

    With `tokens` set, a first and a last picture come as one sequence and learned positions tell them apart.
    """

    def __init__(self, image_size: int, hidden_size: int, tokens: int | None):
        super().__init__()
        self.norm1 = nn.LayerNorm(image_size)
        self.ff = FeedForward(image_size, image_size, hidden_size, approximate="none")
        self.norm2 = nn.LayerNorm(hidden_size)
        self.pos_embed = None if tokens is None else nn.Parameter(torch.zeros(1, tokens, image_size))

    def forward(self, image_embeds: Float[Tensor, "B L image_size"]) -> Float[Tensor, "B L D"]:
        if self.pos_embed is not None:
            image_embeds = image_embeds.reshape(-1, *self.pos_embed.shape[1:]) + self.pos_embed
        return self.norm2(self.ff(self.norm1(image_embeds)))


class ConditionEmbedder(nn.Module):
    """Noise level, words and picture; parameter names are those of published checkpoints."""

    def __init__(
        self,
        hidden_size: int,
        freq_size: int,
        text_size: int,
        image_size: int | None,
        image_tokens: int | None,
    ):
        super().__init__()
        self.freq_size = freq_size
        self.time_embedder = Projector(freq_size, hidden_size, nn.SiLU())
        self.time_proj = nn.Linear(hidden_size, 6 * hidden_size)
        self.text_embedder = Projector(text_size, hidden_size, nn.GELU(approximate="tanh"))
        self.image_embedder = (
            None if image_size is None else ImageEmbedder(image_size, hidden_size, image_tokens)
        )

    def embed_levels(self, t: Float[Tensor, " M"]) -> tuple[Float[Tensor, "M D"], Float[Tensor, "M 6 D"]]:
        """Return, for noise levels in [0, 1], the embedding itself and every block's shared modulation."""
        embedding = self.time_embedder(
            sinusoid(t, self.freq_size).to(self.time_embedder.linear_1.weight.dtype)
        )
        # a model in bf16 keeps the embedder in fp32
        modulation = self.time_proj(F.silu(embedding).to(self.time_proj.weight.dtype))
        return embedding, modulation.unflatten(-1, (6, -1))
