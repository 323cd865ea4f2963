"""Causal 3-D convolution and the memory that lets a clip be worked through chunk by chunk.

A causal layer sees the past and never the future, so a clip may be cut anywhere in time: if every layer
remembers the last frames of its input, the chunks give what the whole clip would have given. The memory is
one `StreamState` handed down through the forward calls; with no state the clip is whole and starts from
nothing, which is the same as one big first chunk.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LeadIn = Callable[[Tensor, int], Tensor]


class StreamState:
    """What the causal layers of one model remember of one stream between two chunks.

    `first` is true until the first chunk is through; the model that owns the layers clears it.
    """

    def __init__(self) -> None:
        self.first = True
        self._kept: dict[nn.Module, Tensor] = {}

    def recall(self, layer: nn.Module) -> Tensor | None:
        """Return the frames `layer` kept of the chunk before, or None when there was none."""
        return self._kept.get(layer)

    def keep(self, layer: nn.Module, frames: Tensor) -> None:
        """Remember `frames` for `layer`; they are copied, so that the chunk they came from can be freed."""
        self._kept[layer] = frames.clone(memory_format=torch.preserve_format)


def starts(state: StreamState | None) -> bool:
    """Whether the chunk at hand begins its clip: a whole clip does, and the first chunk of a stream."""
    return state is None or state.first


def lead_with_zeros(x: Tensor, front: int) -> Tensor:
    """Put `front` zero frames before [B, C, F, H, W]."""
    return F.pad(x, (0, 0, 0, 0, front, 0)) if front else x


class CausalConv3d(nn.Conv3d):
    """Convolution over [B, C, F, H, W] whose output frame i sees input frames up to i only.

    Space is padded to keep its size; time is padded in front with zeros, or with what `state` remembers.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int, int]) -> None:
        depth, height, width = kernel_size
        super().__init__(in_channels, out_channels, kernel_size, padding=(0, height // 2, width // 2))
        self.context = depth - 1

    def forward(
        self, x: Tensor, state: StreamState | None = None, lead_in: LeadIn = lead_with_zeros
    ) -> Tensor:
        """Convolve a chunk [B, C, F, H, W]; `lead_in(x, front)` prepares it (a norm, say) behind zero frames.

        The layer remembers the prepared frames, since those are what it convolves.
        """
        history = None if state is None else state.recall(self)
        if self.context and history is None and state is None and x.shape[2] == 1:
            return self._convolve_picture(lead_in(x, 0))
        padded = lead_in(x, self.context)
        if history is not None:
            padded[:, :, : self.context] = history
        if state is not None and self.context:
            state.keep(self, padded[:, :, -self.context :])
        return super().forward(padded)

    def _convolve_picture(self, x: Tensor) -> Tensor:
        # All but the newest tap would meet zeros: a picture costs a third of a padded clip's first frame.
        return F.conv3d(x, self.weight[:, :, -1:], self.bias, padding=self.padding)
