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
        by_hand = x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)
        if torch.compiler.is_compiling() or not by_hand:
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        return _RMSNorm.apply(x, self.weight, self.eps)


class _RMSNorm(torch.autograd.Function):
    """The same with a hand-written gradient, computed in fp32: 2.6 ms against 5.4 ms for F.rms_norm, whose CPU form is
    a chain of elementwise operations (8 x 320 x 384, forward + backward, one core)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (wide * scale).mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        # y = w x r, r = (mean(x^2) + eps)^(-1/2):  dx = r w g - x r^3 / D * <w g, x>,  dw = sum_tokens r g x
        x, weight, scale = ctx.saved_tensors
        dtype, weight_dtype = x.dtype, weight.dtype
        x, grad, weight = x.float(), grad.float(), weight.float()
        product = grad * x
        along = (product @ weight).unsqueeze(-1)
        grad_weight = scale.flatten() @ product.flatten(0, -2)
        grad_x = (grad * weight).mul_(scale).addcmul_(x, along * (scale**3 / x.shape[-1]), value=-1)
        return grad_x.to(dtype), grad_weight.to(weight_dtype), None
