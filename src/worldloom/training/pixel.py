"""Pixels between bytes and the range of the models, and how near two clips are."""

import numpy as np
import torch
from torch import Tensor


def to_video(frames: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 [B, F, H, W, 3] to float32 [B, 3, F, H, W] in [-1, 1]."""
    tensor = torch.from_numpy(frames).to(device)
    return tensor.permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1.0)


def to_bytes(video: Tensor) -> np.ndarray:
    """float [3, F, H, W] in [-1, 1] (clamped here) to uint8 [F, H, W, 3]."""
    scaled = video.detach().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.to(torch.uint8).permute(1, 2, 3, 0).contiguous().cpu().numpy()


def psnr(reference: np.ndarray, other: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of uint8 [F, H, W, 3], over the pixels of a bool mask [F, H, W] if given.

    Equal clips give 99, so that means stay finite.
    """
    squared = (reference.astype(np.float32) - other.astype(np.float32)) ** 2
    error = float(squared[mask].mean() if mask is not None else squared.mean())
    return 99.0 if error == 0 else min(99.0, 10 * float(np.log10(255**2 / error)))


def moving_pixels(frames: np.ndarray, threshold: int = 12) -> np.ndarray:
    """bool [F, H, W]: pixels that differ from the frame before or after by more than `threshold` grey levels."""
    moving = np.zeros(frames.shape[:3], dtype=bool)
    if len(frames) > 1:
        grey = frames.astype(np.int16)
        changed = np.abs(grey[1:] - grey[:-1]).max(axis=-1) > threshold
        moving[1:] |= changed
        moving[:-1] |= changed
    return moving
