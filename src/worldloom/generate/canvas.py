"""The canvas: a latent grid in which some cells are known and the rest are noise.

Every verb is a way to lay one out. A cell that starts at noise level 0 is known and stays to the bit; one that
starts at 1 is invented from noise; one between starts from noised content and is changed that much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.flow.path import interpolate
from worldloom.generate.reference import Reference


@dataclass(frozen=True)
class Canvas:
    """Clean content, and the noise level at which each cell of it starts.

    `latents` [B, C, f, h, w] has meaning only where `start` [f, h, w], in [0, 1], is below 1. `reference` is what an
    image-to-video checkpoint is shown besides. Methods return new canvases.
    """

    latents: Tensor
    start: Tensor
    reference: Reference | None = None

    @property
    def known(self) -> Tensor:
        """Which cells stay as they are, bool [f, h, w]."""
        return self.start == 0

    def keep_prefix(self, latents: Tensor) -> Canvas:
        """Return the canvas with its first k latent frames known to be `latents` [B, C, k, h, w]."""
        return self._keep(latents, slice(0, latents.shape[2]))

    def keep_suffix(self, latents: Tensor) -> Canvas:
        """Return the canvas with its last k latent frames known to be `latents` [B, C, k, h, w]."""
        total = self.start.shape[0]
        return self._keep(latents, slice(total - latents.shape[2], total))

    def begin_from(self, latents: Tensor, strength: float | Tensor) -> Canvas:
        """Return the canvas with content [B, C, f, h, w] under noise of level `strength`, a number or [f, h, w]."""
        if latents.shape != self.latents.shape:
            raise UsageError(
                f"content {list(latents.shape)} does not fit the canvas {list(self.latents.shape)}"
            )
        start = torch.as_tensor(strength, dtype=self.start.dtype, device=self.start.device)
        return replace(self, latents=latents.to(self.latents), start=start.expand_as(self.start).contiguous())

    def aligned(self, patch_size: tuple[int, int, int]) -> Canvas:
        """Return the canvas with one level per patch, the highest in it: a token cannot be half known."""
        if patch_size == (1, 1, 1):
            return self
        pooled = F.max_pool3d(self.start[None, None], patch_size, patch_size)
        return replace(self, start=F.interpolate(pooled, size=self.start.shape, mode="nearest")[0, 0])

    def levelled(self) -> Canvas:
        """Return the canvas with every cell at the highest level, as a model with one timestep for all begins it."""
        return replace(self, start=self.start.max().expand_as(self.start))

    def noisy(self, noise: Tensor) -> Tensor:
        """Return the content with every cell at the level it starts from; known cells come out bit for bit."""
        mixed = interpolate(self.latents, noise, self.start)
        return torch.where(self.known, self.latents, torch.where(self.start == 1, noise, mixed))

    def sigmas(self, schedule: Tensor) -> Tensor:
        """Return each cell's noise level before each step and after the last, [S+1, 1, 1, f, h, w]: schedule x start.

        Where all cells start alike it is [S+1], and the model needs one timestep per sample.
        """
        highest = self.start.max()
        if bool((self.start == highest).all()):
            return schedule * highest
        return schedule[:, None, None, None, None, None] * self.start

    def _keep(self, latents: Tensor, where: slice) -> Canvas:
        expected = self.latents[:, :, where].shape
        if latents.shape != expected or where.start < 0:
            raise UsageError(
                f"known latents {list(latents.shape)} do not fit the canvas, which takes {list(expected)}"
            )
        content, start = self.latents.clone(), self.start.clone()
        content[:, :, where], start[where] = latents.to(content), 0.0
        return replace(self, latents=content, start=start)


def blank_canvas(
    channels: int, grid: tuple[int, int, int], batch: int = 1, device: torch.device | str = "cpu"
) -> Canvas:
    """Return a canvas of `grid` = (f, h, w) cells on which nothing is known."""
    return Canvas(
        latents=torch.zeros(batch, channels, *grid, device=device), start=torch.ones(*grid, device=device)
    )
