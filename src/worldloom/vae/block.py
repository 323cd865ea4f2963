"""Blocks of the autoencoder: residual, attention, middle, and the residual down and up stages of Wan 2.2."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.nn.causal_conv import CausalConv3d, PointwiseConv3d, StreamState
from worldloom.nn.channel_norm import ChannelRMSNorm, ChannelRMSNormSiLU
from worldloom.vae.resample import Downsample, Upsample, as_clip, as_pictures
from worldloom.vae.shortcut import AverageDown, DuplicateUp

CUBE = (3, 3, 3)


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1x1 convolution of x where the width changes."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = ChannelRMSNormSiLU(in_channels)
        self.conv1 = CausalConv3d(in_channels, out_channels, CUBE)
        self.norm2 = ChannelRMSNormSiLU(out_channels)
        self.conv2 = CausalConv3d(out_channels, out_channels, CUBE)
        same = in_channels == out_channels
        self.conv_shortcut = nn.Identity() if same else PointwiseConv3d(in_channels, out_channels)

    def forward(self, x: Tensor, state: StreamState | None = None, last_use: bool = False) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F, H, W]; `last_use` of x allows to overwrite it."""
        hidden = self.conv1(x, state, self.norm1)
        shortcut = self.conv_shortcut(x)
        return self.conv2(hidden, state, self.norm2, shortcut, spent=last_use or shortcut is not x)


class AttentionBlock(nn.Module):
    """Single-head self-attention inside every frame, added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelRMSNorm(channels, axes=2)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, F, H, W] -> the same shape."""
        pictures = as_pictures(x)
        qkv = self.to_qkv(self.norm(pictures)).flatten(2).transpose(1, 2).unsqueeze(1)
        query, key, value = qkv.chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(query, key, value).squeeze(1).transpose(1, 2)
        return x + as_clip(self.proj(mixed.reshape(pictures.shape)), x.shape[0])


class MiddleBlock(nn.Module):
    """Residual, attention, residual at the latent grid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([ResidualBlock(channels, channels) for _ in range(2)])
        self.attentions = nn.ModuleList([AttentionBlock(channels)])

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> the same shape."""
        x = self.resnets[0](x, state)
        x = self.attentions[0](x)
        return self.resnets[1](x, state, last_use=True)


def residual_chain(in_channels: int, out_channels: int, depth: int) -> nn.ModuleList:
    """`depth` residual blocks, the first of which changes the width."""
    widths = [in_channels] + [out_channels] * depth
    return nn.ModuleList([ResidualBlock(a, b) for a, b in pairwise(widths)])


class ResidualDownStage(nn.Module):
    """Residual blocks and a downsampling (`factor_s` 2) or none, around an averaging shortcut."""

    def __init__(self, in_channels: int, out_channels: int, depth: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        self.avg_shortcut = AverageDown(in_channels, out_channels, factor_t, factor_s)
        self.resnets = residual_chain(in_channels, out_channels, depth)
        self.downsampler = Downsample(out_channels, temporal=factor_t == 2) if factor_s == 2 else None

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F/factor_t, H/factor_s, W/factor_s]."""
        hidden = x
        for resnet in self.resnets:
            hidden = resnet(hidden, state, last_use=hidden is not x)
        if self.downsampler is not None:
            hidden = self.downsampler(hidden, state)
        return self.avg_shortcut(hidden, x, state)


class ResidualUpStage(nn.Module):
    """Residual blocks and an upsampling around a duplicating shortcut; the last stage has neither of these."""

    def __init__(self, in_channels: int, out_channels: int, depth: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        self.resnets = residual_chain(in_channels, out_channels, depth)
        grows = factor_s == 2
        self.avg_shortcut = DuplicateUp(in_channels, out_channels, factor_t, factor_s) if grows else None
        self.upsampler = Upsample(out_channels, out_channels, temporal=factor_t == 2) if grows else None

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F*factor_t, H*factor_s, W*factor_s]."""
        hidden = x
        for resnet in self.resnets:
            hidden = resnet(hidden, state, last_use=hidden is not x)
        if self.upsampler is None or self.avg_shortcut is None:
            return hidden
        return self.avg_shortcut(self.upsampler(hidden, state), x, state)


class PlainUpStage(nn.Module):
    """Residual blocks, then an upsampling that halves the width (Wan 2.1); the last stage does not upsample."""

    def __init__(self, in_channels: int, out_channels: int, depth: int, factor_t: int, factor_s: int) -> None:
        super().__init__()
        self.resnets = residual_chain(in_channels, out_channels, depth)
        self.upsamplers = None
        if factor_s == 2:
            self.upsamplers = nn.ModuleList(
                [Upsample(out_channels, out_channels // 2, temporal=factor_t == 2)]
            )

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F*factor_t, H*factor_s, W*factor_s]."""
        for resnet in self.resnets:
            x = resnet(x, state, last_use=True)
        return x if self.upsamplers is None else self.upsamplers[0](x, state)
