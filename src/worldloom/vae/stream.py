"""Encode or decode a clip that arrives in pieces, in memory that does not grow with its length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.nn.causal_conv import StreamState

if TYPE_CHECKING:
    from worldloom.vae.autoencoder import Autoencoder


class EncoderStream:
    """Turns pushed frames into normalised latents; frames that do not fill a latent frame yet are held back."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        self._autoencoder = autoencoder
        self._state = StreamState()
        self._held: Tensor | None = None

    @property
    def held(self) -> int:
        """Frames pushed but not encoded yet; they wait for the rest of their latent frame."""
        return 0 if self._held is None else self._held.shape[2]

    @torch.no_grad()
    def push(self, video: Tensor) -> Tensor:
        """Return the latents [B, C, n, h, w] completed by video [B, 3, F, H, W] in [-1, 1]; n may be 0."""
        if self._held is not None:
            video = torch.cat([self._held, video], dim=2)
        stride, start = self._autoencoder.temporal_stride, int(self._state.first)
        whole = max((video.shape[2] - start) // stride * stride + start, 0)
        rest = video[:, :, whole:]
        self._held = rest.clone() if rest.shape[2] else None
        if not whole:
            return self._nothing(video)
        mean, _ = self._autoencoder.posterior_of_chunk(video[:, :, :whole], self._state)
        return self._autoencoder.normalise(mean)

    def close(self) -> None:
        """End the clip; raises UsageError when frames are held back that fill no latent frame."""
        if self.held:
            stride = self._autoencoder.temporal_stride
            raise UsageError(f"the clip ends {self.held} frames into a latent frame of {stride}")

    def _nothing(self, video: Tensor) -> Tensor:
        batch, _, _, height, width = video.shape
        stride = self._autoencoder.spatial_stride
        shape = (batch, self._autoencoder.latent_channels, 0, height // stride, width // stride)
        return video.new_empty(shape)


class DecoderStream:
    """Turns pushed normalised latents into pixels: one frame for the first, `temporal_stride` for each other."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        self._autoencoder = autoencoder
        self._state = StreamState()

    @torch.no_grad()
    def push(self, latents: Tensor) -> Tensor:
        """Return the video [B, 3, F, H, W] in [-1, 1] of the next latents [B, C, f, h, w], f at least 1."""
        z_raw = self._autoencoder.denormalise(latents)
        return self._autoencoder.pixels_of_chunk(z_raw, self._state).clamp_(-1.0, 1.0)
