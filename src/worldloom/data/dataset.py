"""Samples become arrays: frames, crops and captions.

Augmentation is drawn from (seed, epoch, sample identity), never from reader state, so any batch can be made
again. There is no horizontal flip: captions say left and right.
"""

import json
from dataclasses import dataclass

import numpy as np

from worldloom.core.error import Failure
from worldloom.core.seed import numpy_generator
from worldloom.core.video import decode_bytes
from worldloom.data.bucket import Shape
from worldloom.data.manifest import Manifest, Sample
from worldloom.data.shard import Shelf

LANGUAGES = ("en", "zh")
LENGTHS = ("short", "medium", "dense")


@dataclass(frozen=True)
class CropConfig:
    """Largest window taken out of a sample; 0 keeps that axis whole. Frames must be 4n + 1.

    Of `draws` random windows the one with the most change between frames is taken: what moves is small, and most
    windows miss it.
    """

    frames: int = 0
    height: int = 0
    width: int = 0
    draws: int = 1


class ClipDataset:
    """Decoded, randomly cropped samples of a manifest."""

    def __init__(self, manifest: Manifest, crop: CropConfig | None = None, seed: int = 0) -> None:
        self.samples = manifest.samples
        self.crop = crop or CropConfig()
        self.seed = seed
        self._shelf = Shelf()

    def __len__(self) -> int:
        return len(self.samples)

    def shape(self, index: int) -> Shape:
        """(frames, height, width) of a sample after cropping."""
        crop = (self.crop.frames, self.crop.height, self.crop.width)
        have = self.samples[index].shape
        return tuple(min(h, c) if c else h for h, c in zip(have, crop, strict=True))  # type: ignore[return-value]

    def shapes(self) -> list[Shape]:
        """Shape after cropping of every sample."""
        return [self.shape(index) for index in range(len(self))]

    def frames(self, index: int) -> np.ndarray:
        """The whole sample as uint8 [F, H, W, 3]."""
        sample = self.samples[index]
        frames = decode_bytes(self._shelf.read(sample.folder / sample.shard, sample.member))
        if frames.shape[:3] != sample.shape:
            raise Failure(f"{sample.identity} decodes to {frames.shape[:3]}, its index says {sample.shape}")
        return frames

    def cropped(self, index: int, epoch: int) -> np.ndarray:
        """A random window of the sample as uint8 [F, H, W, 3], the same for the same (seed, epoch, sample)."""
        return self._window(self.frames(index), self.samples[index], self.shape(index), epoch)

    def meta(self, index: int) -> dict:
        """The sample's JSON member: family, seed, captions, truth."""
        sample = self.samples[index]
        return json.loads(self._shelf.read(sample.folder / sample.shard, f"{sample.key}.json"))

    def captions(self, index: int) -> dict[str, dict[str, list[str]]]:
        """Wordings by language and length: {"en": {"short": [...], "medium": [...], "dense": [...]}, "zh": ...}."""
        return self.meta(index)["captions"]

    def close(self) -> None:
        """Close the shards."""
        self._shelf.close()

    def _window(self, frames: np.ndarray, sample: Sample, shape: Shape, epoch: int) -> np.ndarray:
        generator = numpy_generator(self.seed, "crop", epoch, sample.identity)
        windows = [_random_window(frames, shape, generator) for _ in range(self.crop.draws)]
        return np.ascontiguousarray(max(windows, key=_change) if len(windows) > 1 else windows[0])


def _random_window(frames: np.ndarray, shape: Shape, generator: np.random.Generator) -> np.ndarray:
    """A view of `frames` [F, H, W, 3] of `shape`."""
    window = []
    for have, want in zip(frames.shape[:3], shape, strict=True):
        start = int(generator.integers(0, have - want + 1))
        window.append(slice(start, start + want))
    return frames[tuple(window)]


def _change(window: np.ndarray) -> int:
    """Sum of absolute changes from frame to frame, on every other pixel."""
    seen = window[:, ::2, ::2].astype(np.int16)
    return int(np.abs(np.diff(seen, axis=0)).sum())
