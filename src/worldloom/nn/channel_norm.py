"""Root-mean-square norm over the channels of a picture or clip, alone or followed by SiLU."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn.causal_conv import lead_with_zeros

# A pixel whose channels are all zero stays zero; the floor is torch.nn.functional.normalize's.
MIN_LENGTH = 1e-12


class ChannelRMSNorm(nn.Module):
    """Scale every pixel's channel vector to length sqrt(C), then each channel by its gain `gamma`.

    x / max(|x|, 1e-12) * sqrt(C) * gamma over dim 1, computed in fp32 (Wan's `RMS_norm`).
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
    """`ChannelRMSNorm` and SiLU of a clip, written behind empty frames: the lead-in of a causal convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, axes=3)

    def forward(self, x: Tensor, front: int = 0) -> Tensor:
        """Turn [B, C, F, H, W] into [B, C, front + F, H, W] whose first `front` frames are zero."""
        return lead_with_zeros(F.silu(super().forward(x)), front)
