"""Encode and decode a clip tile by tile: the same result as the whole frame, in the memory of a tile.

Nothing is blended. In the big stages every value sees a bounded neighbourhood, so a tile is worked through together
with that neighbourhood, its halo, which is cut off again; where the frame ends, the tile ends as well and the layers
pad as they always do. The middle's attention sees a whole frame, so it runs on whole frames: at the latent grid they
are small. Each tile goes through the whole clip before the next begins, with the causal layers' memory of that tile
alone.

The price is the halo, computed twice or more: 13 cells on each inner side for Wan 2.1's decoder. Equal up to
rounding: a convolution may sum in another order on another width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from worldloom.core.error import UsageError
from worldloom.nn.causal_conv import CausalConv3d, StreamState
from worldloom.vae.autoencoder import Autoencoder, check_frames, check_size, in_pieces
from worldloom.vae.decoder import Decoder
from worldloom.vae.encoder import Encoder
from worldloom.vae.patch import fold_patches, unfold_patches
from worldloom.vae.resample import DoublingConv2d, HalvingConv2d, join_frames


class Stretch(NamedTuple):
    """Part of one side of the latent grid: the cells `begin` to `end`, and `outer`, the same with their halo."""

    begin: int
    end: int
    outer: slice

    def place(self, scale: int) -> slice:
        """Where the part lies on a grid `scale` times as fine."""
        return slice(self.begin * scale, self.end * scale)

    def inside(self, scale: int) -> slice:
        """Where the part lies within `outer` on a grid `scale` times as fine."""
        start = self.begin - self.outer.start
        return slice(start * scale, (start + self.end - self.begin) * scale)


class Piece(NamedTuple):
    """A part of a decoded clip: pixels [B, 3, F, H, W] in [-1, 1], and where they belong."""

    frames: slice
    rows: slice
    columns: slice
    video: Tensor


def decode_tiled(autoencoder: Autoencoder, latents: Tensor, tile: int) -> Tensor:
    """Return what `Autoencoder.decode` returns, computed in tiles of `tile` pixels on a side."""
    batch, _, frames, height, width = latents.shape
    t, s = autoencoder.temporal_stride, autoencoder.spatial_stride
    video = latents.new_empty(batch, 3, (frames - 1) * t + 1, height * s, width * s)
    for piece in decoded_pieces(autoencoder, latents, tile):
        video[:, :, piece.frames, piece.rows, piece.columns] = piece.video
    return video


def decoded_pieces(autoencoder: Autoencoder, latents: Tensor, tile: int) -> Iterator[Piece]:
    """Yield the video of normalised latents [B, C, f, h, w] in pieces, tile by tile and each from first to last frame.

    Raises UsageError for a tile that is not a multiple of the spatial stride.
    """
    stride, halo = autoencoder.spatial_stride, decoder_halo(autoencoder.decoder)
    height, width = (_cut(side, tile, stride, halo) for side in latents.shape[3:])
    grid = _decoder_grid(autoencoder, latents)
    for rows in height:
        for columns in width:
            state, done = StreamState(), 0
            for x in grid[..., rows.outer, columns.outer].split(1, dim=2):
                video = _to_pixels(autoencoder, x, state)
                video = video[..., rows.inside(stride), columns.inside(stride)]
                frames = slice(done, done + video.shape[2])
                yield Piece(frames, rows.place(stride), columns.place(stride), video)
                done = frames.stop


@torch.no_grad()
def encode_tiled(autoencoder: Autoencoder, video: Tensor, tile: int) -> Tensor:
    """Return what `Autoencoder.encode` returns, computed in tiles of `tile` pixels on a side.

    Raises UsageError for a tile that is not a multiple of the spatial stride, and for sizes that do not divide.
    """
    t, s = autoencoder.temporal_stride, autoencoder.spatial_stride
    check_frames(video.shape[2], t)
    check_size(video.shape[3], video.shape[4], s)
    halo = encoder_halo(autoencoder.encoder)
    height, width = (_cut(side // s, tile, s, halo) for side in (video.shape[3], video.shape[4]))
    grid: Tensor | None = None
    for rows in height:
        for columns in width:
            part = video[..., _finer(rows.outer, s), _finer(columns.outer, s)]
            state = StreamState()
            chunks = [part[:, :, :1], *(part[:, :, i : i + t] for i in range(1, part.shape[2], t))]
            for frame, chunk in enumerate(chunks):
                x = _to_latent_grid(autoencoder, chunk, state)
                if grid is None:
                    frames = (video.shape[2] - 1) // t + 1
                    grid = x.new_empty(*x.shape[:2], frames, video.shape[3] // s, video.shape[4] // s)
                inside = x[:, :, 0, rows.inside(1), columns.inside(1)]
                grid[:, :, frame, rows.place(1), columns.place(1)] = inside
    assert grid is not None, "a clip has a frame, and a frame a tile"
    return autoencoder.normalise(_posterior_mean(autoencoder, grid))


def decoder_halo(decoder: Decoder) -> int:
    """Return how many latent cells around a tile its pixels depend on, counted from the layers."""
    reach, scale = Fraction(0), 1
    for layer in _layers(decoder.up_blocks, decoder.conv_out):
        if isinstance(layer, DoublingConv2d):
            scale *= 2
            reach += Fraction(1, scale)
        elif isinstance(layer, CausalConv3d):
            reach += Fraction(int(layer.padding[1]), scale)
    return math.ceil(reach)


def encoder_halo(encoder: Encoder) -> int:
    """Return how many latent cells' worth of pixels around a tile its latents depend on."""
    reach, scale = 0, 1
    for layer in _layers(encoder.conv_in, encoder.down_blocks):
        if isinstance(layer, HalvingConv2d):
            reach += scale
            scale *= 2
        elif isinstance(layer, CausalConv3d):
            reach += int(layer.padding[1]) * scale
    return math.ceil(Fraction(reach, scale))


def _layers(*parts: nn.Module) -> Iterator[nn.Module]:
    return (layer for part in parts for layer in part.modules())


def _cut(cells: int, tile: int, stride: int, halo: int) -> list[Stretch]:
    """Divide one side of the latent grid into equal parts of at most `tile` pixels."""
    if tile < stride or tile % stride:
        raise UsageError(
            f"tiles of {tile} pixels are not possible here; give a multiple of {stride}, at least {stride}"
        )
    count = math.ceil(cells * stride / tile)
    edges = [cells * number // count for number in range(count + 1)]
    return [
        Stretch(begin, end, slice(max(0, begin - halo), min(cells, end + halo)))
        for begin, end in pairwise(edges)
    ]


def _finer(cells: slice, scale: int) -> slice:
    return slice(cells.start * scale, cells.stop * scale)


@torch.no_grad()
def _decoder_grid(autoencoder: Autoencoder, latents: Tensor) -> Tensor:
    """Return what the decoder's middle makes of the whole clip, [B, C, f, h, w]."""
    state, parts = StreamState(), []
    for chunk in in_pieces(latents):
        z = autoencoder.post_quant_conv(autoencoder.denormalise(chunk))
        z = z.contiguous(memory_format=torch.channels_last_3d)
        parts.append(autoencoder.decoder.at_latent_grid(z, state))
        state.first = False
    return join_frames(parts)


@torch.no_grad()
def _to_pixels(autoencoder: Autoencoder, x: Tensor, state: StreamState) -> Tensor:
    x = autoencoder.decoder.to_pixels(x.contiguous(memory_format=torch.channels_last_3d), state)
    state.first = False
    return unfold_patches(x, autoencoder.config.patch_size or 1).clamp_(-1.0, 1.0)


def _to_latent_grid(autoencoder: Autoencoder, chunk: Tensor, state: StreamState) -> Tensor:
    patched = fold_patches(chunk, autoencoder.config.patch_size or 1)
    x = autoencoder.encoder.to_latent_grid(patched.contiguous(memory_format=torch.channels_last_3d), state)
    state.first = False
    return x


def _posterior_mean(autoencoder: Autoencoder, grid: Tensor) -> Tensor:
    state, parts = StreamState(), []
    for chunk in in_pieces(grid):
        x = chunk.contiguous(memory_format=torch.channels_last_3d)
        x = autoencoder.quant_conv(autoencoder.encoder.at_latent_grid(x, state))
        state.first = False
        parts.append(x.chunk(2, dim=1)[0])
    return join_frames(parts)
