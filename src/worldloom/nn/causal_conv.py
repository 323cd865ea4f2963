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

from worldloom.nn import winograd

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
        if state is None and x.shape[2] == 1:
            # A picture: all taps but the newest would meet zeros.
            return self._convolve(lead_in(x, 0), self.weight[:, :, -1:])
        padded = lead_in(x, self.context)
        if state is not None:
            history = state.recall(self)
            if history is not None:
                padded[:, :, : self.context] = history
            state.keep(self, padded[:, :, -self.context :])
        return self._convolve(padded, self.weight)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        watched = needs_grad(x, weight)
        if not watched and winograd.pays(x, weight):
            return winograd.winograd_conv3d(x, weight, self.bias)
        # PyTorch 2.13 sends a float32 batch of one whose B*C*F*H is at most 20,480 past oneDNN to an im2col path
        # three times as slow (`ConvParams::use_mkldnn`); asked for by name, oneDNN takes it.
        on_cpu = x.device.type == "cpu" and torch.backends.mkldnn.is_available()
        if on_cpu and x.shape[0] == 1 and x.dtype == torch.float32 and not watched:
            unit = [1, 1, 1]
            return torch.ops.aten.mkldnn_convolution(x, weight, self.bias, self.padding, unit, unit, 1)
        return F.conv3d(x, weight, self.bias, padding=self.padding)


class PointwiseConv3d(nn.Conv3d):
    """1x1x1 convolution, computed as the matrix product it is: four times as fast as the CPU's convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, F, H, W] -> [B, C', F, H, W]."""
        return F.linear(x.permute(0, 2, 3, 4, 1), self.weight.flatten(1), self.bias).permute(0, 4, 1, 2, 3)


def needs_grad(*tensors: Tensor) -> bool:
    """Whether autograd watches an operation on these tensors."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
