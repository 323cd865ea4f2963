"""Drawn clips whose measures are known: a textured floor, and a disc that moves over it."""

import numpy as np

from worldloom.core.seed import numpy_generator

SIDE = 64


def floor(side: int = SIDE, seed: int = 0) -> np.ndarray:
    """A smooth random texture, float [side, side, 3] in about 80..170."""
    rng = numpy_generator("floor", seed)
    rows, columns = np.mgrid[:side, :side] / side
    waves = np.zeros((side, side))
    for _ in range(24):
        across, down = rng.uniform(-9, 9, 2)
        waves += np.sin(2 * np.pi * (across * columns + down * rows) + rng.uniform(0, 2 * np.pi))
    return 125 + 8 * waves[..., None] * np.array([1.0, 0.9, 0.8])


def rolling(
    num_frames: int, speed: float = 1.0, side: int = SIDE, start: float = 12.0, radius: float = 7.0
) -> np.ndarray:
    """A red disc that rolls to the right over the floor, uint8 [F, side, side, 3]."""
    rows, columns = np.mgrid[:side, :side]
    background = floor(side)
    frames = []
    for frame in range(num_frames):
        away = np.hypot(rows - side / 2, columns - start - speed * frame)
        cover = np.clip(radius + 0.5 - away, 0, 1)[..., None]
        frames.append(background * (1 - cover) + np.array([220.0, 30.0, 30.0]) * cover)
    return np.stack(frames).round().clip(0, 255).astype(np.uint8)


def still(num_frames: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """The floor alone, uint8 [F, side, side, 3]."""
    return np.repeat(floor(side, seed)[None], num_frames, axis=0).round().clip(0, 255).astype(np.uint8)


def noisy(clip: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """The clip with Gaussian noise of `sigma` levels, drawn anew for every frame."""
    noise = numpy_generator("noise", seed).normal(0, sigma, clip.shape)
    return (clip + noise).round().clip(0, 255).astype(np.uint8)
