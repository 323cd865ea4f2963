"""Scaled dot-product attention, dispatched to the kernel that is quickest for length, dtype and mode.

Tensors are always 4-D [B, A, N, K]: 5-D inputs fall to PyTorch's slow path. All branches compute
softmax(q k^T / sqrt(K) + bias) v; they differ in speed and rounding only.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Keys up to which batched matrix products with an explicit softmax beat the fused kernel on a CPU, in bf16 with
# gradients, for the fused kernel's backward is slow (6 heads of 64 channels, forward and backward, one core with AMX: 6 x
# 320 queries and keys 17 and 31 ms, 3 x 576 24 and 48, 2 x 1,024 49 and 68). In fp32 the two are level (6 x 320 queries:
# 32 keys 5.3 and 4.9 ms, 96 keys 12.1 and 12.3), and without gradients the fused one leads everywhere.
EXPLICIT_KEYS = 1024


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention of every query over all keys.

    query [B, A, N, K]; key and value [B, A, L, K]; bias, added to the scores, broadcasts to [B, A, N, L]
    (-inf hides a key; at least one key per row must stay visible). Returns [B, A, N, K].
    """
    if _explicit_is_faster(query, key, value):
        return _explicit(query, key, value, bias)
    if bias is not None:
        bias = bias.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def _explicit_is_faster(query: Tensor, key: Tensor, value: Tensor) -> bool:
    if query.device.type != "cpu" or query.dtype == torch.float32 or key.shape[2] > EXPLICIT_KEYS:
        return False
    return torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))


def _explicit(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    return scores.softmax(-1) @ value
