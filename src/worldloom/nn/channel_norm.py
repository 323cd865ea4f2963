"""Root-mean-square norm over the channels of a picture or clip, alone or followed by SiLU."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn import native
from worldloom.nn.pieces import pieces, widened

# A pixel whose channels are all zero stays zero; the floor is torch.nn.functional.normalize's.
MIN_LENGTH = 1e-12


class ChannelRMSNorm(nn.Module):
    """Scale every pixel's channel vector to length sqrt(C), then each channel by its gain `gamma`.

    x / max(|x|, 1e-12) * sqrt(C) * gamma over dim 1, the length in fp32 (Wan's `RMS_norm`).
    """

    def __init__(self, channels: int, axes: int) -> None:
        """`axes` is the number of axes after the channels: 2 for pictures, 3 for clips."""
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.scale = math.sqrt(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, C, ...]; the shape stays."""
        return F.normalize(x.float(), dim=1).to(x.dtype) * (self.gamma * self.scale)


class ChannelRMSNormSiLU(ChannelRMSNorm):
    """`ChannelRMSNorm` and SiLU of a clip, written behind zero frames: the lead-in of a causal convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, axes=3)

    def forward(self, x: Tensor, front: int = 0, room: Tensor | None = None) -> Tensor:
        """Turn [B, C, F, H, W] into [B, C, front + F, H, W] whose first `front` frames are zero.

        `room`, channels-last and of that shape, is filled and returned where no gradient is asked for.
        """
        gain = (self.gamma * self.scale).flatten()
        if room is None:
            return _NormSiLU.apply(x, gain, front)
        _norm_silu(_rows_of(x), gain.float(), room.permute(0, 2, 3, 4, 1), front)
        return room


class _NormSiLU(torch.autograd.Function):
    """silu(x / |x| * gain) behind `front` zero frames, piece by piece.

    With n = x / |x| and y = n * gain: dy = silu'(y) * dout, dgain = sum(dy * n), and since n has length 1,
    dx = (dy * gain - n (n . dy * gain)) / |x|.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, front: int) -> Tensor:
        batch, channels, frames, height, width = x.shape
        rows = _rows_of(x)
        out = x.new_empty(batch, front + frames, height, width, channels)
        inverse = _norm_silu(rows, gain.float(), out, front)
        ctx.save_for_backward(rows, gain, inverse)
        ctx.front = front
        return out.permute(0, 4, 1, 2, 3)

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, gain, inverse = ctx.saved_tensors
        batch, gain32 = len(grad_out), gain.float()
        grad_out = grad_out[:, :, ctx.front :].permute(0, 2, 3, 4, 1)
        grad_rows = grad_out.reshape(rows.shape) if batch == 1 else grad_out.flatten(1, 3)
        grad_x = torch.empty_like(rows)
        fill = _backward_in_c if native.takes(rows) else _backward_in_pieces
        grad_gain = fill(rows, gain32, inverse, grad_rows, grad_x)
        return grad_x.view(grad_out.shape).permute(0, 4, 1, 2, 3), grad_gain.to(gain.dtype), None


def _rows_of(x: Tensor) -> Tensor:
    """[B, C, F, H, W] as [B, F * H * W, C]; no copy when `x` is channels-last."""
    return x.permute(0, 2, 3, 4, 1).flatten(1, 3)


def _backward_in_c(rows: Tensor, gain: Tensor, inverse: Tensor, grad: Tensor, grad_x: Tensor) -> Tensor:
    """Fill grad_x [B, N, C] from grad and return the gain's gradient."""
    work = {"count": inverse.numel(), "size": len(gain)}
    sums = torch.zeros(native.thread_count(**work), len(gain))
    inputs = (rows, gain.contiguous(), inverse, grad.contiguous())
    native.call("norm_silu_backward", *inputs, grad_x, native.PerThread(sums), len(gain), **work)
    return sums.sum(0)


def _backward_in_pieces(rows: Tensor, gain: Tensor, inverse: Tensor, grad: Tensor, grad_x: Tensor) -> Tensor:
    """The same with PyTorch's operations."""
    grad_gain = torch.zeros_like(gain)
    for part in pieces(rows):
        inv = inverse[part]
        unit = rows[part].float() * inv
        grad_y = torch.ops.aten.silu_backward(grad[part].float(), unit * gain)
        along = grad_y * unit
        grad_gain += along.sum(0)
        along = torch.mv(along, gain).unsqueeze(1)
        grad_y.mul_(gain).addcmul_(unit, along, value=-1)
        if rows.dtype == torch.float32:
            torch.mul(grad_y, inv, out=grad_x[part])
        else:
            grad_x[part] = grad_y.mul_(inv)
    return grad_gain


def _norm_silu(rows: Tensor, gain: Tensor, out: Tensor, front: int) -> Tensor:
    """Fill out [B, front + F, H, W, C] from rows [B, F * H * W, C]; return 1 / |row| as [B, F * H * W, 1]."""
    batch, _, height, width, channels = out.shape
    out[:, :front] = 0
    out_rows = out.view(batch, -1, channels)[:, front * height * width :]
    inverse = torch.empty(*rows.shape[:2], 1, dtype=torch.float32, device=rows.device)
    if native.takes(rows):
        for number in range(batch):
            places = (rows[number], gain, out_rows[number], inverse[number])
            native.call("norm_silu", *places, channels, count=rows.shape[1], size=channels)
        return inverse
    # bf16 is widened once: products of bf16 and fp32 would widen it in each.
    for part, wide in widened(rows):
        inv = _inverse_length(wide, out=inverse[part])
        y = out_rows[part] if rows.dtype == torch.float32 else wide
        torch.mul(wide, inv, out=y).mul_(gain)
        F.silu(y, inplace=True)
        if y.dtype != rows.dtype:
            out_rows[part] = y
    return inverse


def _inverse_length(rows: Tensor, out: Tensor) -> Tensor:
    """1 / max(|row|, MIN_LENGTH) of fp32 [N, C] as [N, 1]."""
    torch.linalg.vector_norm(rows, dim=1, keepdim=True, out=out)
    return out.clamp_(min=MIN_LENGTH).reciprocal_()
