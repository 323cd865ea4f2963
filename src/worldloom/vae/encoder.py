"""From pixels to the raw latent distribution: convolution, down stages, middle, head."""

from itertools import pairwise

from torch import Tensor, nn

from worldloom.nn.causal_conv import CausalConv3d, StreamState
from worldloom.nn.channel_norm import ChannelRMSNormSiLU
from worldloom.vae.block import CUBE, MiddleBlock, ResidualDownStage, residual_chain
from worldloom.vae.resample import Downsample


class Encoder(nn.Module):
    """The encoder half; `widths` are the channels of conv_in and of every stage, `temporal` one flag per halving."""

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
        self.down_blocks = nn.ModuleList()
        for i, (narrow, wide) in enumerate(pairwise(widths)):
            halves = i < len(temporal)
            if residual:
                factor_t = 2 if halves and temporal[i] else 1
                self.down_blocks.append(ResidualDownStage(narrow, wide, depth, factor_t, 2 if halves else 1))
            else:
                # Wan 2.1 numbers the blocks of all stages in one row.
                self.down_blocks.extend(residual_chain(narrow, wide, depth))
                if halves:
                    self.down_blocks.append(Downsample(wide, temporal[i]))
        self.mid_block = MiddleBlock(widths[-1])
        self.norm_out = ChannelRMSNormSiLU(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], out_channels, CUBE)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """Patched pixels [B, C, F, H, W] -> [B, 2z, f, h, w]; F is 4n + 1 at a clip's start, 4n after it."""
        x = self.at_latent_grid(self.to_latent_grid(x, state), state)
        if state is not None:
            state.first = False
        return x

    def to_latent_grid(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """Convolution and down stages, in which a cell sees only its neighbourhood: -> [B, C, f, h, w]."""
        x = self.conv_in(x, state)
        for block in self.down_blocks:
            x = block(x, state)
        return x

    def at_latent_grid(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """Middle, whose attention sees the whole of a frame, and head: [B, C, f, h, w] -> [B, 2z, f, h, w]."""
        return self.conv_out(self.mid_block(x, state), state, self.norm_out)
