"""Samples become arrays: frames, crops and captions.

Augmentation is drawn from (seed, epoch, sample identity), never from reader state, so any batch can be made
again. There is no horizontal flip: captions say left and right.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from worldloom.core.error import Failure
from worldloom.core.seed import numpy_generator
from worldloom.core.video import decode_bytes
from worldloom.data.bucket import Shape
from worldloom.data.manifest import Manifest
from worldloom.data.shard import Shelf

LANGUAGES = ("en", "zh")
LENGTHS = ("short", "medium", "dense")

Window = tuple[slice, slice, slice]
"""Frames, rows and columns of a sample."""


@dataclass(frozen=True)
class CropConfig:
    """Largest window taken out of a sample; 0 keeps that axis whole. Frames must be 4n + 1.

    Of `draws` random windows the one that is worth most is taken, by default the one with the most change between
    frames: what moves is small, and most windows miss it.
    """

    frames: int = 0
    height: int = 0
    width: int = 0
    draws: int = 1


class ClipDataset:
    """Decoded, randomly cropped samples of a manifest."""

    def __init__(
        self,
        manifest: Manifest,
        crop: CropConfig | None = None,
        seed: int = 0,
        worth: Callable[[int, Window, np.ndarray], float] | None = None,
    ) -> None:
        """`worth` judges a window of a sample (its index, the window, its frames) where several are drawn."""
        self.samples = manifest.samples
        self.crop = crop or CropConfig()
        self.seed = seed
        self._worth = worth or (lambda _index, _window, frames: _change(frames))
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
        return self.windowed(index, epoch)[1]

    def windowed(self, index: int, epoch: int) -> tuple[Window, np.ndarray]:
        """As `cropped`, with the place of the window in the sample."""
        frames, shape = self.frames(index), self.shape(index)
        generator = numpy_generator(self.seed, "crop", epoch, self.samples[index].identity)
        drawn = [_random_window(frames.shape, shape, generator) for _ in range(self.crop.draws)]
        window = max(drawn, key=lambda w: self._worth(index, w, frames[w])) if len(drawn) > 1 else drawn[0]
        return window, np.ascontiguousarray(frames[window])

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


def _random_window(have: tuple[int, ...], want: Shape, generator: np.random.Generator) -> Window:
    """A window of `want` frames, rows and columns out of `have`."""
    starts = [int(generator.integers(0, h - w + 1)) for h, w in zip(have[:3], want, strict=True)]
    return tuple(slice(start, start + w) for start, w in zip(starts, want, strict=True))  # type: ignore[return-value]


def _change(window: np.ndarray) -> int:
    """Sum of absolute changes from frame to frame, on every other pixel."""
    seen = window[:, ::2, ::2].astype(np.int16)
    return int(np.abs(np.diff(seen, axis=0)).sum())
