"""One block of the transformer: self-attention over the video, cross-attention to the prompt, feed-forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from worldloom.dit.context import Pair
from worldloom.dit.embedding import FeedForward
from worldloom.nn.attention import attend
from worldloom.nn.linear import Linear
from worldloom.nn.modulation import add_gated, norm_modulate
from worldloom.nn.qk_norm import QKNorm

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Attention(nn.Module):
    """Projections shared by both kinds of attention; normed queries and keys (arXiv 2302.05442)."""

    def __init__(self, hidden_size: int, num_heads: int, eps: float):
        super().__init__()
        self.num_heads = num_heads
        self.to_q = Linear(hidden_size, hidden_size)
        self.to_k = Linear(hidden_size, hidden_size)
        self.to_v = Linear(hidden_size, hidden_size)
        self.to_out = nn.Sequential(Linear(hidden_size, hidden_size))
        self.norm_q = QKNorm(hidden_size, eps)
        self.norm_k = QKNorm(hidden_size, eps)

    def heads(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N A K"]:
        return x.unflatten(-1, (self.num_heads, -1))

    def join(self, x: Float[Tensor, "B A N K"]) -> Float[Tensor, "B N D"]:
        return self.to_out(x.transpose(1, 2).flatten(2))


class SelfAttention(Attention):
    """Every video token attends to every other; positions enter by rotation of queries and keys."""

    def forward(self, x: Float[Tensor, "B N D"], rope: Float[Tensor, "N 1 K/2 2"]) -> Float[Tensor, "B N D"]:
        query = self.heads(self.norm_q(self.to_q(x), rope))
        key = self.heads(self.norm_k(self.to_k(x), rope))
        value = self.heads(self.to_v(x))
        return self.join(attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)))


class CrossAttention(Attention):
    """Video tokens attend to the words and, in a second softmax of its own, to a reference picture."""

    def __init__(self, hidden_size: int, num_heads: int, eps: float, has_image: bool):
        super().__init__(hidden_size, num_heads, eps)
        self.has_image = has_image
        if has_image:
            self.add_k_proj = Linear(hidden_size, hidden_size)
            self.add_v_proj = Linear(hidden_size, hidden_size)
            self.norm_added_k = QKNorm(hidden_size, eps)

    def project_text(self, text: Float[Tensor, "B L D"]) -> Pair:
        """Return keys and values [B, A, L, K] of embedded words."""
        return self._pair(self.norm_k(self.to_k(text)), self.to_v(text))

    def project_image(self, image: Float[Tensor, "B L D"]) -> Pair:
        """Return keys and values [B, A, L, K] of an embedded picture."""
        return self._pair(self.norm_added_k(self.add_k_proj(image)), self.add_v_proj(image))

    def forward(
        self, x: Float[Tensor, "B N D"], text: Pair, bias: Float[Tensor, "B 1 1 L"], image: Pair | None
    ) -> Float[Tensor, "B N D"]:
        query = self.heads(self.norm_q(self.to_q(x))).transpose(1, 2)
        found = attend(query, *text, bias)
        if image is not None:
            found = found + attend(query, *image)
        return self.join(found)

    def _pair(self, key: Tensor, value: Tensor) -> Pair:
        # contiguous once per prompt, so that no step has to make it so
        return self.heads(key).transpose(1, 2).contiguous(), self.heads(value).transpose(1, 2).contiguous()


class Block(nn.Module):
    """Wan's block (arXiv 2503.20314): six modulation vectors per noise level, shared by all blocks up to a table."""

    def __init__(
        self, hidden_size: int, num_heads: int, ffn_size: int, eps: float, text_norm: bool, has_image: bool
    ):
        super().__init__()
        self.eps = eps
        self.attn1 = SelfAttention(hidden_size, num_heads, eps)
        self.attn2 = CrossAttention(hidden_size, num_heads, eps, has_image)
        self.norm2 = nn.LayerNorm(hidden_size, eps) if text_norm else nn.Identity()
        self.ffn = FeedForward(hidden_size, ffn_size, hidden_size)
        self.scale_shift_table = nn.Parameter(torch.zeros(1, 6, hidden_size))

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        modulation: Float[Tensor, "M 6 D"],
        index: Int[Tensor, "B N"] | None,
        rope: Float[Tensor, "N 1 K/2 2"],
        text: Pair,
        bias: Float[Tensor, "B 1 1 L"],
        image: Pair | None,
    ) -> Float[Tensor, "B N D"]:
        """Return x after the block; `modulation` and `index` are laid out as `worldloom.nn.modulation.Levels`."""
        # the sum is taken in the wider dtype: tables stay in fp32 when the rest is bf16
        vectors = (self.scale_shift_table + modulation).to(x.dtype)
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = vectors.unbind(1)
        x = add_gated(x, self.attn1(norm_modulate(x, scale, shift, index, self.eps), rope), gate, index)
        x = x + self.attn2(self.norm2(x), text, bias, image)
        return add_gated(
            x, self.ffn(norm_modulate(x, ffn_scale, ffn_shift, index, self.eps)), ffn_gate, index
        )
