"""A linear layer whose weight learns at the rate of the CPU's tiles."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn import native


class Linear(nn.Linear):
    """`torch.nn.Linear` with the gradient of `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """x [..., C] -> [..., C']."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b; x [..., C], weight [C', C], bias [C'] -> [..., C'].

    Where the kernels in C are and x is bf16, the weight's gradient is summed in fp32 and is 2.2 times as soon there.
    """
    if _kernel_takes(x, weight):
        return _Linear.apply(x, weight, bias)
    return F.linear(x, weight, bias)


def _kernel_takes(x: Tensor, weight: Tensor) -> bool:
    if not (torch.is_grad_enabled() and weight.requires_grad and native.takes(x)):
        return False
    narrow = weight.dtype == torch.bfloat16 or (
        torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )
    return narrow and not any(width % native.BLOCK for width in weight.shape)


class _Linear(torch.autograd.Function):
    """Forward and the gradient of x by PyTorch, that of weight and bias by the kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        narrow = weight.to(x.dtype)
        ctx.save_for_backward(x, narrow)
        ctx.dtype = weight.dtype
        return F.linear(x, narrow, bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        rows, above = x.flatten(0, -2), grad.reshape(-1, grad.shape[-1]).contiguous()
        grad_x = (above @ weight).view_as(x) if ctx.needs_input_grad[0] else None
        size = torch.tensor([len(rows), rows.shape[1], above.shape[1]])
        grad_weight = torch.empty(weight.shape, dtype=torch.float32)
        grad_bias = torch.empty(len(weight), dtype=torch.float32)
        work = {"count": len(weight) // native.BLOCK, "size": x.numel()}
        scratch = native.scratch("weight_gradient", **work)
        native.call("weight_gradient", rows, above, grad_weight, grad_bias, scratch, size, **work)
        return grad_x, grad_weight.to(ctx.dtype), grad_bias.to(ctx.dtype)
