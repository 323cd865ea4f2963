"""Fold squares of pixels into channels and back: the first and last step of the Wan 2.2 layout."""

from torch import Tensor


def fold_patches(video: Tensor, patch_size: int) -> Tensor:
    """[B, C, F, H*p, W*p] -> [B, C*p*p, F, H, W], channels ordered (C, column, row) as Wan 2.2 has them."""
    if patch_size == 1:
        return video
    batch, channels, frames, height, width = video.shape
    p = patch_size
    split = video.reshape(batch, channels, frames, height // p, p, width // p, p)
    return split.permute(0, 1, 6, 4, 2, 3, 5).reshape(
        batch, channels * p * p, frames, height // p, width // p
    )


def unfold_patches(x: Tensor, patch_size: int) -> Tensor:
    """[B, C*p*p, F, H, W] -> [B, C, F, H*p, W*p], the inverse of `fold_patches`."""
    if patch_size == 1:
        return x
    batch, channels, frames, height, width = x.shape
    p = patch_size
    split = x.reshape(batch, channels // (p * p), p, p, frames, height, width)
    return split.permute(0, 1, 4, 5, 3, 6, 2).reshape(
        batch, channels // (p * p), frames, height * p, width * p
    )
