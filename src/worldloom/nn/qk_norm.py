"""RMSNorm of queries and keys over the whole width, all heads together, as Wan normalises them, and their rotation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn import native
from worldloom.nn.pieces import pieces, widened
from worldloom.nn.rope import apply_rope


class QKNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last axis (arXiv 1910.07467), then turned; weight [D]."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, rope: Tensor | None = None) -> Tensor:
        """x [..., N, D] -> [..., N, D]; a table [N, 1, K/2, 2] (see `rope.py`) turns the pairs of every K channels."""
        in_lanes = rope is None or 2 * rope.shape[-2] % native.LANES == 0
        if in_lanes and native.takes(x) and self.weight.dtype in (torch.float32, torch.bfloat16):
            return _NormTurnInC.apply(x, self.weight, self.eps, rope)
        by_hand = x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)
        if by_hand and not torch.compiler.is_compiling():
            return _NormTurn.apply(x, self.weight, self.eps, rope)
        normed = F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        if rope is None:
            return normed
        return apply_rope(normed.unflatten(-1, (-1, 2 * rope.shape[-2])), rope).flatten(-2)


class _NormTurn(torch.autograd.Function):
    """The same in fp32 with a hand-written gradient, piece by piece: beside `F.rms_norm`, whose CPU form is a chain of
    operations, and `apply_rope` 1.8 times as fast in bf16 and twice as fast with gradients (6 x 320 x 384, one core)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, eps: float, rope: Tensor | None) -> Tensor:
        rows = x.reshape(-1, *x.shape[-2:])
        out = torch.empty_like(rows)
        scale = rows.new_empty(*rows.shape[:2], 1, dtype=torch.float32)
        gain = weight.float()
        for part, wide in widened(rows):
            length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True, out=scale[part])
            length.square_().div_(rows.shape[-1]).add_(eps).rsqrt_()
            y = out[part] if x.dtype == torch.float32 else wide
            torch.mul(wide, length, out=y).mul_(gain)
            if rope is not None:
                turning = torch.view_as_complex(rope[part[1]])
                torch.view_as_complex(y.view(len(y), -1, *rope.shape[-2:])).mul_(turning)
            if y.dtype != x.dtype:
                out[part] = y
        ctx.save_for_backward(rows, weight, scale, rope)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        # n = w x r, r = (mean(x^2) + eps)^(-1/2):  dx = r w g - x r^3 / D * <w g, x>,  dw = sum_tokens r g x,
        # where g, the gradient of n, is that of the output turned back
        rows, weight, scale, rope = ctx.saved_tensors
        width, gain = rows.shape[-1], weight.float()
        grad_rows = grad.reshape(rows.shape)
        grad_x, grad_gain = torch.empty_like(rows), torch.zeros_like(gain)
        for part in pieces(rows):
            # what attention hands back may lie channel by channel
            wide, length, g = rows[part].float(), scale[part], grad_rows[part].float().contiguous()
            if rope is not None:
                back = torch.view_as_complex(rope[part[1]]).conj()
                g = torch.view_as_real(torch.view_as_complex(g.view(len(g), -1, *rope.shape[-2:])) * back)
                g = g.view(wide.shape)
            product = g * wide
            along = torch.mv(product, gain).unsqueeze(1)
            grad_gain += length.flatten() @ product
            grad_x[part] = (g * gain).mul_(length).addcmul_(wide, along.mul_(length**3), value=-1 / width)
        return grad_x.view(grad.shape), grad_gain.to(weight.dtype), None, None


class _NormTurnInC(torch.autograd.Function):
    """The same in one pass either way, for bf16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, rope: Tensor | None) -> Tensor:
        out, inverse = torch.empty_like(x), x.new_empty(x.shape[:-1], dtype=torch.float32)
        size = torch.tensor([x.shape[-1], x.shape[-2], 0 if rope is None else rope.shape[-2]])
        work = {"count": inverse.numel(), "size": x.shape[-1]}
        native.call("norm_turn", x, weight.float(), rope, out, inverse, size, eps, **work)
        ctx.save_for_backward(x, weight, rope, inverse, size)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, weight, rope, inverse, size = ctx.saved_tensors
        work = {"count": inverse.numel(), "size": x.shape[-1]}
        grad_x = torch.empty_like(x)
        sums = torch.zeros(native.thread_count(**work), x.shape[-1])
        inputs = (x, weight.float(), rope, inverse, grad.contiguous())
        native.call("norm_turn_backward", *inputs, grad_x, native.PerThread(sums), size, **work)
        return grad_x, sums.sum(0).to(weight.dtype), None, None
