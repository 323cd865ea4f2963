"""Parameterless shortcuts of the Wan 2.2 layout: average cells into fewer, duplicate cells into more.

A cell is `factor_t` frames of `factor_s` x `factor_s` pixels. Both directions move a cell's pixels into or out
of the channels; where the channel counts do not match, neighbouring channels are averaged or repeated.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn.causal_conv import StreamState, starts


class AverageDown(nn.Module):
    """Fold every cell into channels and average groups of them down to `out_channels`."""

    def __init__(self, in_channels: int, out_channels: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        folded = in_channels * factor_t * factor_s**2
        if folded % out_channels:
            raise ValueError(f"{folded} folded channels cannot be averaged in equal groups to {out_channels}")
        self.out_channels, self.factor_t, self.factor_s = out_channels, factor_t, factor_s

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F/factor_t, H/factor_s, W/factor_s]; a clip's start is led in by zeros."""
        t, s = self.factor_t, self.factor_s
        if t == s == 1 and x.shape[1] == self.out_channels:
            return x
        if starts(state):
            x = F.pad(x, (0, 0, 0, 0, t - 1, 0))
        batch, channels, frames, height, width = x.shape
        cells = x.reshape(batch, channels, frames // t, t, height // s, s, width // s, s)
        folded = cells.permute(0, 1, 3, 5, 7, 2, 4, 6)
        grouped = folded.reshape(batch, self.out_channels, -1, frames // t, height // s, width // s)
        return grouped.mean(dim=2)


class DuplicateUp(nn.Module):
    """Spread channels over cells, each channel as often as it takes to fill `out_channels` of them."""

    def __init__(self, in_channels: int, out_channels: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        needed = out_channels * factor_t * factor_s**2
        if needed % in_channels:
            raise ValueError(f"{in_channels} channels cannot fill {needed} places equally")
        self.repeats = needed // in_channels
        self.out_channels, self.factor_t, self.factor_s = out_channels, factor_t, factor_s

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F*factor_t, H*factor_s, W*factor_s]; a clip's first frame comes once."""
        t, s = self.factor_t, self.factor_s
        batch, _, frames, height, width = x.shape
        places = x.repeat_interleave(self.repeats, dim=1)
        cells = places.reshape(batch, self.out_channels, t, s, s, frames, height, width)
        spread = cells.permute(0, 1, 5, 2, 6, 3, 7, 4)
        out = spread.reshape(batch, self.out_channels, frames * t, height * s, width * s)
        return out[:, :, t - 1 :] if starts(state) else out
