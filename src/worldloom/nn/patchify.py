"""Latents to tokens and back: each token is one block of pt x ph x pw latent cells."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def grid_of(latents: Tensor, patch_size: tuple[int, int, int]) -> tuple[int, int, int]:
    """Token grid (frames, rows, columns) of latents [B, C, f, h, w]; a size the patch does not divide is a ValueError."""
    sizes = tuple(latents.shape[2:])
    if any(size % patch for size, patch in zip(sizes, patch_size, strict=True)):
        raise ValueError(f"latents of {sizes} cells are not divisible into patches of {patch_size}")
    frames, rows, columns = (size // patch for size, patch in zip(sizes, patch_size, strict=True))
    return frames, rows, columns


def patchify(latents: Tensor, patch_size: tuple[int, int, int]) -> Tensor:
    """latents [B, C, f, h, w] -> patches [B, N, C * pt * ph * pw], channels slowest, as a convolution's weight has it."""
    (pt, ph, pw), (frames, rows, columns) = patch_size, grid_of(latents, patch_size)
    batch, channels = latents.shape[:2]
    cells = latents.reshape(batch, channels, frames, pt, rows, ph, columns, pw)
    return cells.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(batch, frames * rows * columns, -1)


def unpatchify(patches: Tensor, grid: tuple[int, int, int], patch_size: tuple[int, int, int]) -> Tensor:
    """patches [B, N, pt * ph * pw * C] -> latents [B, C, f, h, w].

    The order differs from `patchify`: here channels run fastest, which is how Wan's output projection has them.
    """
    (pt, ph, pw), (frames, rows, columns) = patch_size, grid
    cells = patches.reshape(patches.shape[0], frames, rows, columns, pt, ph, pw, -1)
    cells = cells.permute(0, 7, 1, 4, 2, 5, 3, 6)
    return cells.reshape(patches.shape[0], -1, frames * pt, rows * ph, columns * pw)


class PatchEmbedding(nn.Module):
    """A convolution whose stride is its kernel, done as the matrix product that it is.

    Parameters have Conv3d's names and shapes, weight [D, C, pt, ph, pw] and bias [D], so checkpoints fit.
    """

    def __init__(self, channels: int, hidden_size: int, patch_size: tuple[int, int, int]):
        super().__init__()
        self.patch_size = patch_size
        self.weight = nn.Parameter(torch.empty(hidden_size, channels, *patch_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        bound = math.sqrt(
            6 / (channels * math.prod(patch_size) + hidden_size)
        )  # Xavier of the matrix product
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, latents: Tensor) -> Tensor:
        """latents [B, C, f, h, w] -> tokens [B, N, D]."""
        return F.linear(patchify(latents, self.patch_size), self.weight.flatten(1), self.bias)
