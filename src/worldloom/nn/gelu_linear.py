"""Matrix product, bias and GELU in one pass over the output."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.device import cpu_has_fast_bf16
from worldloom.nn import native
from worldloom.nn.causal_conv import needs_grad
from worldloom.nn.linear import linear


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor, approximate: str) -> Tensor:
    """GELU(x W^T + b); x [..., C], weight [C', C], bias [C'] -> [..., C']; `approximate` is "tanh" or "none".

    oneDNN applies the GELU while a block of the product is still in the cache: a step of the tiny transformer
    takes 93 ms instead of 103 (320 tokens, fp32, one core, 2026-11).
    """
    fused = (
        x.device.type == "cpu"
        and x.dtype == weight.dtype  # which autocast makes so only inside operations that it knows
        and (x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and cpu_has_fast_bf16()))
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
        and not needs_grad(x, weight, bias)
    )
    if fused:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], approximate)
    product = linear(x, weight, bias)
    if approximate == "tanh" and native.takes(product):
        return _Gelu.apply(product)
    if product.device.type == "cpu" and product.dtype == torch.bfloat16 and needs_grad(product):
        # PyTorch's tanh takes four times as long as its error function, forward and backward (14.2 and 3.6 ms, 6 x 320 x
        # 1,536, one core), and the two forms are 0.0005 apart, less than training in bf16 could see.
        approximate = "none"
    return F.gelu(product, approximate=approximate)


class _Gelu(torch.autograd.Function):
    """The tanh form in one pass either way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        native.call("gelu", x, out, count=x.numel() // native.LANES, size=native.LANES)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        work = {"count": x.numel() // native.LANES, "size": native.LANES}
        native.call("gelu_backward", x, grad.contiguous(), grad_x, **work)
        return grad_x
