"""From raw latents to pixels: convolution, middle, up stages, head."""

from itertools import pairwise

from torch import Tensor, nn

from worldloom.nn.causal_conv import CausalConv3d, StreamState
from worldloom.nn.channel_norm import ChannelRMSNormSiLU
from worldloom.vae.block import CUBE, MiddleBlock, PlainUpStage, ResidualUpStage


class Decoder(nn.Module):
    """The decoder half; `widths` are the channels of conv_in and of every stage, `temporal` one flag per doubling."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, ...],
        depth: int,
        temporal: tuple[bool, ...],
        residual: bool,
    ) -> None:
        super().__init__()
        self.conv_in = CausalConv3d(in_channels, widths[0], CUBE)
        self.mid_block = MiddleBlock(widths[0])
        stage = ResidualUpStage if residual else PlainUpStage
        self.up_blocks = nn.ModuleList()
        for i, (wide, narrow) in enumerate(pairwise(widths)):
            doubles = i < len(temporal)
            arriving = wide if residual or i == 0 else wide // 2  # Wan 2.1 halves the width as it upsamples
            factor_t = 2 if doubles and temporal[i] else 1
            self.up_blocks.append(stage(arriving, narrow, depth, factor_t, 2 if doubles else 1))
        self.norm_out = ChannelRMSNormSiLU(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], out_channels, CUBE)

    def forward(self, z: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, z, f, h, w] -> patched pixels [B, C, F, H, W]; F is 4f - 3 at a clip's start, 4f after it."""
        x = self.to_pixels(self.at_latent_grid(z, state), state)
        if state is not None:
            state.first = False
        return x

    def at_latent_grid(self, z: Tensor, state: StreamState | None = None) -> Tensor:
        """Convolution and middle, whose attention sees the whole of a frame: [B, z, f, h, w] -> [B, C, f, h, w]."""
        return self.mid_block(self.conv_in(z, state), state)

    def to_pixels(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """Up stages and head, in which a pixel sees only its neighbourhood."""
        for block in self.up_blocks:
            x = block(x, state)
        return self.conv_out(x, state, self.norm_out)
