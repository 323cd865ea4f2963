"""Halve or double a clip's grid: in space frame by frame, in time causally.

In time the first frame of a clip stands alone: it is neither merged with others going down nor doubled going
up, which is why a clip has 4n + 1 frames and a picture is a one-frame clip.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn.causal_conv import CausalConv3d, StreamState, starts


def as_pictures(x: Tensor) -> Tensor:
    """[B, C, F, H, W] -> [B*F, C, H, W]; no copy when `x` is channels-last."""
    batch, channels, frames, height, width = x.shape
    return x.permute(0, 2, 3, 4, 1).reshape(batch * frames, height, width, channels).permute(0, 3, 1, 2)


def as_clip(x: Tensor, batch: int) -> Tensor:
    """[B*F, C, H, W] -> [B, C, F, H, W], the inverse of `as_pictures`."""
    pictures, channels, height, width = x.shape
    frames = x.permute(0, 2, 3, 1).reshape(batch, pictures // batch, height, width, channels)
    return frames.permute(0, 4, 1, 2, 3)


def join_frames(chunks: list[Tensor]) -> Tensor:
    """Concatenate [B, C, F, H, W] along F, channels-last; `torch.cat` alone would guess the layout from slices."""
    return torch.cat([chunk.permute(0, 2, 3, 4, 1) for chunk in chunks], dim=1).permute(0, 4, 1, 2, 3)


class HalvingConv2d(nn.Conv2d):
    """3x3 convolution with stride 2 and one zero row and column at the bottom and right."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 2H, 2W] -> [B, C, H, W]."""
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class DoublingConv2d(nn.Conv2d):
    """Nearest-neighbour doubling followed by a 3x3 convolution, computed as one transposed convolution.

    Doubling repeats every pixel, so of the nine taps of each output pixel five meet a pixel already met. With
    the taps added beforehand, 4x4 with stride 2 gives the same sums with 4 products instead of 9.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', 2H, 2W]."""
        return F.conv_transpose2d(x, self._merged_taps(), self.bias, stride=2, padding=1)

    def _merged_taps(self) -> Tensor:
        """[C', C, 3, 3] -> [C, C', 4, 4]: the flipped kernel smeared over the two copies of a pixel."""
        taps = self.weight.flip(2, 3).transpose(0, 1)
        rows = F.pad(taps, (0, 0, 0, 1)) + F.pad(taps, (0, 0, 1, 0))
        return F.pad(rows, (0, 1)) + F.pad(rows, (1, 0))


class HalvingTimeConv(nn.Conv3d):
    """Every output frame but the first sees the two frames it stands for and the one before them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, (3, 1, 1), stride=(2, 1, 1))

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, 2n + 1, H, W] -> [B, C, n + 1, H, W] at a clip's start, [.., 2n, ..] -> [.., n, ..] after."""
        if state is None or state.first:
            out = x if x.shape[2] == 1 else join_frames([x[:, :, :1], super().forward(x)])
        else:
            before = state.recall(self)
            assert before is not None, "a stream goes on through layers that have seen its start"
            out = super().forward(join_frames([before, x]))
        if state is not None:
            state.keep(self, x[:, :, -1:])
        return out


class DoublingTimeConv(CausalConv3d):
    """Every frame but a clip's first becomes two. The first passes through, and the others do not see it."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 2 * channels, (3, 1, 1))

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:  # type: ignore[override]
        """[B, C, n + 1, H, W] -> [B, C, 2n + 1, H, W] at a clip's start, [.., n, ..] -> [.., 2n, ..] after."""
        first, rest = (1, x[:, :, 1:]) if starts(state) else (0, x)
        frames = [x[:, :, :first]] if first else []
        if rest.shape[2]:
            earlier, later = super().forward(rest, state).chunk(2, dim=1)
            for i in range(rest.shape[2]):
                frames += [earlier[:, :, i : i + 1], later[:, :, i : i + 1]]
        return join_frames(frames)


class Downsample(nn.Module):
    """Halve height and width, and with `temporal` the frames after the first."""

    def __init__(self, channels: int, temporal: bool) -> None:
        super().__init__()
        # The convolution is entry 1 because a parameterless padding is entry 0 in the published checkpoints.
        self.resample = nn.Sequential(nn.Identity(), HalvingConv2d(channels))
        self.time_conv = HalvingTimeConv(channels) if temporal else None

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C, F', H/2, W/2]."""
        x = as_clip(self.resample(as_pictures(x)), x.shape[0])
        return x if self.time_conv is None else self.time_conv(x, state)


class Upsample(nn.Module):
    """Double height and width, and with `temporal` the frames after the first."""

    def __init__(self, in_channels: int, out_channels: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.Identity(), DoublingConv2d(in_channels, out_channels))
        self.time_conv = DoublingTimeConv(in_channels) if temporal else None

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F', 2H, 2W]."""
        if self.time_conv is not None:
            x = self.time_conv(x, state)
        return as_clip(self.resample(as_pictures(x)), x.shape[0])
