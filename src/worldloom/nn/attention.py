"""Scaled dot-product attention, dispatched to the kernel that is quickest for length, dtype and mode.

Tensors are always 4-D [B, A, N, K]: 5-D inputs fall to PyTorch's slow path. All branches compute
softmax(q k^T / sqrt(K) + bias) v; they differ in speed and rounding only.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.nn import native

# Keys up to which the kernel in C leads: a row of scores is kept whole, and from there on leaves the cache (without gradients, times as
# fast as PyTorch's fused kernel: 576 keys 1.6, 2,304 1.5, 4,096 1.4, 8,192 0.9).
KERNEL_KEYS = 4096
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
    if _kernel_takes(query, key, value, bias):
        bias = None if bias is None else bias.flatten(1).float().contiguous()
        return _Attention.apply(query, key, value, bias)
    if _explicit_is_faster(query, key, value):
        return _explicit(query, key, value, bias)
    if bias is not None:
        bias = bias.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


class _Attention(torch.autograd.Function):
    """The kernel in C: products, softmax and gradient of a head in the cache."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        batch, heads, tokens, size = query.shape
        out = query.new_empty(batch, tokens, heads, size)
        weight = query.new_empty(batch, heads, tokens, dtype=torch.float32)
        _run("attention", (query, key, value), bias, out, weight)
        ctx.save_for_backward(query, key, value, bias, out, weight)
        return out.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value, bias, out, weight = ctx.saved_tensors
        if grad.stride(-1) != 1:
            grad = grad.contiguous()
        # each as its projection's output lies: [B, N, A, K]
        grads = [
            torch.empty_like(x.transpose(1, 2), memory_format=torch.contiguous_format)
            for x in (query, key, value)
        ]
        _run("attention_backward", (query, key, value), bias, out, weight, grad, *grads)
        grad_query, grad_key, grad_value = (x.transpose(1, 2) for x in grads)
        return grad_query, grad_key, grad_value, None


def _run(name: str, inputs: tuple[Tensor, Tensor, Tensor], bias: Tensor | None, *others: Tensor) -> None:
    """Call a kernel on [B, A, N, K] inputs; `others` as its source names them, of which the third, if any, is strided."""
    query, key, _ = inputs
    batch, heads, tokens, size = query.shape
    keys = key.shape[2]
    shape = torch.tensor([heads, tokens, keys, size])
    strided = [*inputs, *others[2:3]]
    layout = torch.tensor([x.stride()[:3] for x in strided])
    work = {"count": batch * heads, "size": 4 * (tokens + keys) * size}
    scratch = native.scratch(name, shape, **work)
    step = 0 if bias is None or len(bias) == 1 else keys
    native.call(name, *inputs, bias, *others, scratch, shape, layout, step, **work)


def _kernel_takes(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> bool:
    inputs = (query, key, value)
    fit = all(x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.stride(-1) == 1 for x in inputs)
    if not fit or query.shape[-1] % native.BLOCK or key.shape[2] > KERNEL_KEYS:
        return False
    if bias is not None and (bias.shape[1:3] != (1, 1) or bias.requires_grad):
        return False
    return native.available()


def _explicit_is_faster(query: Tensor, key: Tensor, value: Tensor) -> bool:
    if query.device.type != "cpu" or query.dtype == torch.float32 or key.shape[2] > EXPLICIT_KEYS:
        return False
    return torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))


def _explicit(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    return scores.softmax(-1) @ value
