"""Parameterless shortcuts of the Wan 2.2 layout: average cells into fewer, duplicate cells into more.

A cell is `factor_t` frames of `factor_s` x `factor_s` pixels on the fine grid and one pixel on the coarse grid.
A coarse pixel has `ratio` channels for each fine one, and they share out the cell's pixels among them. Going up,
every fine pixel receives its coarse channel; going down, every coarse channel receives the mean of its fine
pixels: each is the other's adjoint. Both add straight into the other branch's memory layout, one pixel of the
cell at a time, so that the spread-out tensor is never built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from worldloom.core.error import UsageError
from worldloom.nn.causal_conv import StreamState, starts


@dataclass(frozen=True)
class Cells:
    """How fine and coarse pixels belong together; at a clip's start the first cell has only its last frame."""

    factor_t: int
    factor_s: int
    ratio: int

    @property
    def shared(self) -> int:
        """Fine pixels that share a coarse channel."""
        return self.factor_t * self.factor_s**2 // self.ratio

    def pairs(self, fine: Tensor, coarse: Tensor, starting: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield for each pixel of a cell the views of `fine` and `coarse` (both [B, F, H, W, C]) that meet."""
        t, s = self.factor_t, self.factor_s
        for pixel in range(t * s * s):
            frame, row, column = pixel // (s * s), pixel // s % s, pixel % s
            skipped = int(starting and frame < t - 1)
            first = frame + (skipped * t - (t - 1) if starting else 0)
            channels = slice(pixel // self.shared, None, self.ratio)
            yield fine[:, first::t, row::s, column::s], coarse[:, skipped:, ..., channels]


class _Spread(torch.autograd.Function):
    """fine + every coarse channel at each of its fine pixels."""

    @staticmethod
    def forward(ctx: Any, fine: Tensor, coarse: Tensor, cells: Cells, starting: bool) -> Tensor:
        ctx.coarse_shape, ctx.cells, ctx.starting = coarse.shape, cells, starting
        # Nothing needs the branch without the shortcut afterwards, unless autograd watches it.
        out = torch.empty_like(fine) if any(ctx.needs_input_grad) else fine
        for (here, added), (there, _) in zip(
            cells.pairs(fine, coarse, starting), cells.pairs(out, coarse, starting), strict=True
        ):
            torch.add(here, added, out=there)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_coarse = grad.new_zeros(ctx.coarse_shape)
        for here, there in ctx.cells.pairs(grad, grad_coarse, ctx.starting):
            there += here
        return grad, grad_coarse, None, None


class _Gather(torch.autograd.Function):
    """Every coarse channel's sum over its fine pixels."""

    @staticmethod
    def forward(
        ctx: Any, fine: Tensor, coarse_shape: tuple[int, ...], cells: Cells, starting: bool
    ) -> Tensor:
        ctx.fine_shape, ctx.cells, ctx.starting = fine.shape, cells, starting
        out = fine.new_zeros(coarse_shape)
        for here, there in cells.pairs(fine, out, starting):
            there += here
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        grad_fine = grad.new_empty(ctx.fine_shape)
        for there, here in ctx.cells.pairs(grad_fine, grad, ctx.starting):
            there.copy_(here)
        return grad_fine, None, None, None


class AverageDown(nn.Module):
    """Add to the down-sampled branch the input, averaged over cells."""

    def __init__(self, in_channels: int, out_channels: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        pixels = factor_t * factor_s**2
        if out_channels % in_channels or pixels % (out_channels // in_channels):
            raise UsageError(
                f"an averaging shortcut over cells of {pixels} pixels cannot turn {in_channels} channels into "
                f"{out_channels}; the widths may grow by a divisor of {pixels}"
            )
        self.cells = Cells(factor_t, factor_s, out_channels // in_channels)

    def forward(self, branch: Tensor, x: Tensor, state: StreamState | None = None) -> Tensor:
        """branch [B, C', f, h, w] + mean over cells of x [B, C, F, H, W]; missing frames count as zeros."""
        if self.cells.factor_t * self.cells.factor_s == 1:
            return branch + x
        frames_last = branch.permute(0, 2, 3, 4, 1)
        total = _Gather.apply(x.permute(0, 2, 3, 4, 1), frames_last.shape, self.cells, starts(state))
        return torch.add(frames_last, total, alpha=1 / self.cells.shared).permute(0, 4, 1, 2, 3)


class DuplicateUp(nn.Module):
    """Add to the up-sampled branch the input, each channel repeated over its part of a cell."""

    def __init__(self, in_channels: int, out_channels: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        pixels = factor_t * factor_s**2
        if in_channels % out_channels or pixels % (in_channels // out_channels):
            raise UsageError(
                f"a duplicating shortcut over cells of {pixels} pixels cannot turn {in_channels} channels into "
                f"{out_channels}; the widths may shrink by a divisor of {pixels}"
            )
        self.cells = Cells(factor_t, factor_s, in_channels // out_channels)

    def forward(self, branch: Tensor, x: Tensor, state: StreamState | None = None) -> Tensor:
        """branch [B, C', F, H, W] + x [B, C, f, h, w] over cells; a clip's first frame comes once."""
        fine, coarse = branch.permute(0, 2, 3, 4, 1), x.permute(0, 2, 3, 4, 1)
        return _Spread.apply(fine, coarse, self.cells, starts(state)).permute(0, 4, 1, 2, 3)
