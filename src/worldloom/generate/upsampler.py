"""Twice the width and height: a small causal network that corrects Lanczos resampling, frame after frame.

One convolution looks two frames back, the others at one frame, all at the small size; the last makes four pixels
of each (Shi et al. 2016, arXiv 1609.05158), added to what Lanczos gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.checkpoint import load_tensors, save_tensors
from worldloom.core.config import from_dict, to_dict
from worldloom.core.error import UsageError
from worldloom.core.file import read_json, write_json
from worldloom.nn.causal_conv import CausalConv3d, StreamState
from worldloom.nn.lanczos import LOBES, lanczos

FACTOR = 2
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
FOLDER = Path(__file__).parents[1] / "weights" / "upsampler"


@dataclass(frozen=True)
class UpsamplerConfig:
    """`width` channels in `depth` residual layers of two 3x3 convolutions each."""

    width: int = 40
    depth: int = 3

    @property
    def halo(self) -> int:
        """Pixels around a tile, at the small size, that its result depends on."""
        return max(2 + 2 * self.depth, LOBES + 1)


class Upsampler(nn.Module):
    """Video [B, 3, F, H, W] in [-1, 1] to [B, 3, F, 2H, 2W], not clamped; frame i depends on frames up to i."""

    def __init__(self, config: UpsamplerConfig) -> None:
        super().__init__()
        self.config = config
        self.conv_in = CausalConv3d(3, config.width, (3, 3, 3))
        self.layers = nn.ModuleList(Layer(config.width) for _ in range(config.depth))
        self.conv_out = CausalConv3d(config.width, 3 * FACTOR**2, (1, 3, 3))
        for parameter in self.conv_out.parameters():  # at first it is Lanczos
            nn.init.zeros_(parameter)

    def forward(self, video: Tensor, state: StreamState | None = None) -> Tensor:
        """Enlarge a clip, or with `state` the next frames of a stream."""
        height, width = video.shape[-2:]
        x = self.conv_in(video.to(memory_format=torch.channels_last_3d), state)
        for layer in self.layers:
            x = layer(x)
        detail = F.pixel_shuffle(self.conv_out(x).transpose(1, 2), FACTOR).transpose(1, 2)
        if state is not None:
            state.first = False
        return lanczos(video, FACTOR * height, FACTOR * width) + detail

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`."""
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / WEIGHTS_FILE, self.state_dict())
        write_json(folder / CONFIG_FILE, to_dict(self.config))

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Upsampler:
        """Read what `save` wrote; UsageError when the folder has no upsampler, Failure when it is damaged."""
        if not (folder / CONFIG_FILE).is_file():
            raise UsageError(f"{folder} holds no upsampler; there must be {CONFIG_FILE} and {WEIGHTS_FILE}")
        model = cls(from_dict(UpsamplerConfig, read_json(folder / CONFIG_FILE)))
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        model.load_state_dict(load_tensors(folder / WEIGHTS_FILE, shapes))
        return model.to(device).eval().requires_grad_(False)


class Layer(nn.Module):
    """x + conv(silu(conv(x))), both 3x3 within a frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = CausalConv3d(width, width, (1, 3, 3))
        self.conv2 = CausalConv3d(width, width, (1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(x)))


class UpsamplerStream:
    """Enlarges a stream of frames in bands of rows, exactly as the whole clip would come out.

    Each band is worked through with `halo` rows of its neighbours, which are cut off again, so memory depends on
    `band_pixels` and not on the size of the frames.
    """

    def __init__(self, model: Upsampler, band_pixels: int = 512 * 512) -> None:
        self.model, self.band_pixels = model, band_pixels
        self._states: list[StreamState] = []

    @torch.no_grad()
    def push(self, video: Tensor) -> Tensor:
        """Return the next frames [1, 3, F, H, W] enlarged, clamped to [-1, 1]."""
        bands = list(self._bands(*video.shape[-2:]))
        self._states = self._states or [StreamState() for _ in bands]
        parts = []
        for state, (top, bottom, above, below) in zip(self._states, bands, strict=True):
            part = self.model(video[..., top - above : bottom + below, :], state)
            parts.append(part[..., FACTOR * above : part.shape[-2] - FACTOR * below, :])
        return torch.cat(parts, dim=-2).clamp_(-1, 1)

    def _bands(self, height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
        """(first row, row after the last, halo rows above, halo rows below) of each band."""
        rows, halo = max(1, self.band_pixels // width), self.model.config.halo
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            yield top, bottom, min(halo, top), min(halo, height - bottom)
