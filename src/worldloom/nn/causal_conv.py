"""Causal 3-D convolution and the memory that lets a clip be worked through chunk by chunk.

A causal layer sees the past and never the future, so a clip may be cut anywhere in time: if every layer
remembers the last frames of its input, the chunks give what the whole clip would have given. The memory is
one `StreamState` handed down through the forward calls; with no state the clip is whole and starts from
nothing, which is the same as one big first chunk.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.device import cpu_has_fast_bf16
from worldloom.nn import winograd

LeadIn = Callable[[Tensor, int, Tensor | None], Tensor]


class StreamState:
    """What the causal layers of one model remember of one stream between two chunks.

    `first` is true until the first chunk is through; the model that owns the layers clears it.
    """

    def __init__(self) -> None:
        self.first = True
        self._kept: dict[nn.Module, Tensor] = {}
        self._room: Tensor | None = None

    def recall(self, layer: nn.Module) -> Tensor | None:
        """Return the frames `layer` kept of the chunk before, or None when there was none."""
        return self._kept.get(layer)

    def keep(self, layer: nn.Module, frames: Tensor) -> None:
        """Remember a copy of `frames` for `layer`, so that the chunk they came from can be freed."""
        kept = self._kept.get(layer)
        if kept is None or kept.shape != frames.shape:
            with torch.inference_mode(False):  # the next chunk may come outside of it
                kept = self._kept[layer] = torch.empty_like(frames)
        kept.copy_(frames)

    def room(self, x: Tensor, front: int) -> Tensor:
        """Return memory for `front` frames and [B, C, F, H, W], channels-last; the next call hands out the same.

        Layers that need it in turn for a moment spare themselves fresh memory, whose pages take longer to get than
        to fill: half of the time of a norm over 8 x 256 x 256 x 32 in bf16.
        """
        batch, channels, frames, height, width = x.shape
        shape = (batch, front + frames, height, width, channels)
        size, room = math.prod(shape), self._room
        if room is None or room.numel() < size or (room.dtype, room.device) != (x.dtype, x.device):
            self._room = room = None  # freed before more is taken
            with torch.inference_mode(False):
                self._room = room = torch.empty(size, dtype=x.dtype, device=x.device)
        return room[:size].view(shape).permute(0, 4, 1, 2, 3)


def starts(state: StreamState | None) -> bool:
    """Whether the chunk at hand begins its clip: a whole clip does, and the first chunk of a stream."""
    return state is None or state.first


def lead_with_zeros(x: Tensor, front: int, room: Tensor | None = None) -> Tensor:
    """Put `front` zero frames before [B, C, F, H, W], in memory of its own or in `room`."""
    if not front:
        return x
    if room is None:
        return F.pad(x, (0, 0, 0, 0, front, 0))
    room[:, :, :front] = 0
    room[:, :, front:] = x
    return room


class CausalConv3d(nn.Conv3d):
    """Convolution over [B, C, F, H, W] whose output frame i sees input frames up to i only.

    Space is padded to keep its size; time is padded in front with zeros, or with what `state` remembers.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int, int]) -> None:
        depth, height, width = kernel_size
        super().__init__(in_channels, out_channels, kernel_size, padding=(0, height // 2, width // 2))
        self.context = depth - 1

    def forward(
        self,
        x: Tensor,
        state: StreamState | None = None,
        lead_in: LeadIn = lead_with_zeros,
        onto: Tensor | None = None,
        spent: bool = False,
    ) -> Tensor:
        """Convolve a chunk [B, C, F, H, W], and add the result to `onto`, which may be overwritten if it is `spent`.

        `lead_in(x, front, room)` prepares the chunk (a norm, say) behind zero frames, in `room` where there is one.
        The layer remembers the prepared frames, since those are what it convolves.
        """
        if state is None and x.shape[2] == 1:
            # A picture: all taps but the newest would meet zeros.
            return self._convolve(lead_in(x, 0, None), self.weight[:, :, -1:], onto, spent)
        room = None
        if state is not None and self.context and not torch.is_grad_enabled():
            room = state.room(x, self.context)
        padded = lead_in(x, self.context, room)
        if state is not None:
            history = state.recall(self)
            if history is not None:
                padded[:, :, : self.context] = history
            state.keep(self, padded[:, :, -self.context :])
        return self._convolve(padded, self.weight, onto, spent)

    def _convolve(self, x: Tensor, weight: Tensor, onto: Tensor | None, spent: bool) -> Tensor:
        unit, watched = [1, 1, 1], needs_grad(x, weight, *(() if onto is None else (onto,)))
        on_cpu = x.device.type == "cpu" and torch.backends.mkldnn.is_available()
        if not watched and winograd.pays(x, weight):
            return winograd.winograd_conv3d(
                x, weight, self.bias, onto if onto is None or spent else onto.clone()
            )
        if onto is not None and not watched and _fit_for_sum(x, weight, onto):
            # The sum is taken while a block of the result is in the cache: 41 ms instead of 74 (8 x 256 x 256 x 32).
            add = torch.ops.mkldnn._convolution_pointwise_.binary
            onto = onto if spent else onto.clone()
            return add(onto, x, weight, self.bias, self.padding, unit, unit, 1, "add", 1.0, None, [], None)
        if on_cpu and x.shape[0] == 1 and x.dtype == torch.float32 and not watched:
            # PyTorch 2.13 sends a float32 batch of one whose B*C*F*H is at most 20,480 past oneDNN to an im2col path
            # three times as slow (`ConvParams::use_mkldnn`); asked for by name, oneDNN takes it.
            out = torch.ops.aten.mkldnn_convolution(x, weight, self.bias, self.padding, unit, unit, 1)
        else:
            out = F.conv3d(x, weight, self.bias, padding=self.padding)
        return out if onto is None else out.add_(onto)  # no gradient needs what a convolution returned


def _fit_for_sum(x: Tensor, weight: Tensor, onto: Tensor) -> bool:
    """Whether oneDNN convolves in hardware and adds to `onto`: bf16 on a CPU that is fast with it, channels-last."""
    in_order = onto.is_contiguous(memory_format=torch.channels_last_3d)
    on_cpu = all(t.dtype == torch.bfloat16 and t.device.type == "cpu" for t in (x, weight, onto))
    return in_order and on_cpu and cpu_has_fast_bf16()


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
