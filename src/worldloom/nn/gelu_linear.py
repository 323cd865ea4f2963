"""Matrix product, bias and GELU in one pass over the output."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.device import has_amx
from worldloom.nn.causal_conv import needs_grad


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor, approximate: str) -> Tensor:
    """GELU(x W^T + b); x [..., C], weight [C', C], bias [C'] -> [..., C']; `approximate` is "tanh" or "none".

    oneDNN applies the GELU while a block of the product is still in the cache: a step of the tiny transformer
    takes 93 ms instead of 103 (320 tokens, fp32, one core, 2026-11).
    """
    fused = (
        x.device.type == "cpu"
        and x.dtype == weight.dtype  # which autocast makes so only inside operations that it knows
        and (x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and has_amx()))
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
        and not needs_grad(x, weight, bias)
    )
    if fused:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], approximate)
    return F.gelu(F.linear(x, weight, bias), approximate=approximate)
