"""Latents of every sample, encoded once by the frozen autoencoder and kept on disk.

For each dataset folder and encoder there is one folder in the cache; in it, for each shape of sample, one flat
fp16 file `17x128x128.f16` of raw (not normalised) posterior means [n, C, f, h, w], in the order of the index,
and beside it `17x128x128.json` with how many are done. Encoding stops anywhere and goes on from there; a dataset
that grows at its end is encoded at its end. Several processes share the shapes out among them.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worldloom.core.device import resolve_dtype
from worldloom.core.error import Failure
from worldloom.core.file import read_json, write_json
from worldloom.core.progress import Bar, progress
from worldloom.data.bucket import Shape
from worldloom.data.dataset import ClipDataset
from worldloom.data.loader import Loader
from worldloom.data.manifest import Manifest, Sample
from worldloom.training.objective import autocast
from worldloom.training.parallel import Parallel
from worldloom.training.pixel import to_video
from worldloom.vae.autoencoder import Autoencoder
from worldloom.vae.feedback import encode_closely

# Pixels encoded at once: enough to keep the cores busy, little enough to fit anywhere.
BATCH_PIXELS = 1_500_000
HALF_LIMIT = 65504.0


def encoder_hash(vae: Autoencoder) -> str:
    """SHA-256 over the weights that make latents: a decoder trained further keeps its cache."""
    digest = hashlib.sha256()
    for name, tensor in sorted(vae.state_dict().items()):
        if name.startswith(("encoder.", "quant_conv.")):
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def latents_hash(vae: Autoencoder, passes: int) -> str:
    """SHA-256 over what makes latents: from the second pass on, the decoder too."""
    if passes == 1:
        return encoder_hash(vae)
    digest = hashlib.sha256(f"{passes} passes".encode())
    for name, tensor in sorted(vae.state_dict().items()):
        digest.update(name.encode() + tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class LatentCache:
    """Raw latents of the samples of a manifest, by index, read from memory-mapped files."""

    def __init__(self, root: Path, manifest: Manifest, vae: Autoencoder, passes: int = 1) -> None:
        self.samples = manifest.samples
        name = latents_hash(vae, passes)[:16]
        self.units = {
            folder: Unit(root / name / _unit_name(folder), part, vae, passes)
            for folder, part in manifest.by_folder().items()
        }
        seen: dict[tuple[Path, Shape], int] = {}
        self._places: list[tuple[Path, Shape, int]] = []
        for sample in self.samples:
            row = seen.setdefault((sample.folder, sample.shape), 0)
            self._places.append((sample.folder, sample.shape, row))
            seen[sample.folder, sample.shape] += 1

    def fill(self, vae: Autoencoder, parallel: Parallel, quiet: bool) -> None:
        """Encode this rank's share of what is missing; all is there once every rank is through."""
        share = self._share(parallel)
        missing = sum(unit.missing(shape) for unit, shape in share)
        with progress(missing, "encoding latents", quiet or not parallel.leads, unit="clip") as bar:
            for unit, shape in share:
                unit.fill(shape, vae, parallel.device, bar)

    def raw(self, index: int) -> np.ndarray:
        """Raw latents [C, f, h, w] of a sample, fp16."""
        folder, shape, row = self._places[index]
        return self.units[folder].rows(shape)[row]

    @property
    def missing(self) -> int:
        """How many samples are not encoded yet."""
        return sum(unit.missing(shape) for unit, shape in self._shapes())

    def _share(self, parallel: Parallel) -> list[tuple["Unit", Shape]]:
        """Whole shapes, the one with most pixels to whoever has least; what is done already must not matter, since
        ranks may look at different times."""
        work = {(unit, shape): len(unit.buckets[shape]) * math.prod(shape) for unit, shape in self._shapes()}
        shares: list[list[tuple[Unit, Shape]]] = [[] for _ in range(parallel.world)]
        for item in sorted(work, key=lambda item: -work[item]):
            min(shares, key=lambda share: sum(work[taken] for taken in share)).append(item)
        return shares[parallel.rank]

    def _shapes(self) -> Iterator[tuple["Unit", Shape]]:
        return ((unit, shape) for unit in self.units.values() for shape in unit.buckets)

    def statistics(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(mean [C], standard deviation [C]) of the raw latents of some samples, each clip weighing the same."""
        means, squares = [], []
        for index in indices:
            values = self.raw(index).astype(np.float64)
            means.append(values.mean(axis=(1, 2, 3)))
            squares.append((values**2).mean(axis=(1, 2, 3)))
        mean = np.mean(means, axis=0)
        deviation = np.sqrt(np.maximum(np.mean(squares, axis=0) - mean**2, 1e-12))
        return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()


class Unit:
    """The latents of one dataset folder under one encoder."""

    def __init__(self, folder: Path, manifest: Manifest, vae: Autoencoder, passes: int) -> None:
        self.folder, self.passes = folder, passes
        self.buckets: dict[Shape, list[Sample]] = {}
        for sample in manifest.samples:
            self.buckets.setdefault(sample.shape, []).append(sample)
        self._latent_shape: Callable[[Shape], tuple[int, ...]] = lambda shape: (
            vae.latent_channels,
            (shape[0] - 1) // vae.temporal_stride + 1,
            shape[1] // vae.spatial_stride,
            shape[2] // vae.spatial_stride,
        )
        self._maps: dict[Shape, np.ndarray] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.done = {shape: self._read(shape) for shape in self.buckets}

    def missing(self, shape: Shape) -> int:
        """How many samples of a shape are not encoded yet."""
        return max(0, len(self.buckets[shape]) - self.done[shape])

    def rows(self, shape: Shape) -> np.ndarray:
        """All latents of one shape, [n, C, f, h, w] fp16."""
        if shape not in self._maps:
            rows = len(self.buckets[shape])
            self._maps[shape] = np.memmap(
                self._path(shape), dtype=np.float16, mode="r", shape=(rows, *self._latent_shape(shape))
            )
        return self._maps[shape]

    def fill(self, shape: Shape, vae: Autoencoder, device: torch.device, bar: Bar) -> None:
        """Encode the samples of one shape that are missing."""
        if not self.missing(shape):
            return
        samples = self.buckets[shape]
        first = self.done[shape]
        size = max(1, BATCH_PIXELS // int(np.prod(shape)))
        dataset = ClipDataset(Manifest(tuple(samples)))
        row_bytes = 2 * int(np.prod(self._latent_shape(shape)))

        def decode(number: int) -> np.ndarray:
            start = first + number * size
            return np.stack([dataset.frames(i) for i in range(start, min(start + size, len(samples)))])

        batches = -(-(len(samples) - first) // size)
        with open(self._path(shape), "r+b" if first else "wb") as file, Loader(decode, 0, ahead=2) as loader:
            file.truncate(first * row_bytes)  # rows written after the last progress note are encoded again
            file.seek(first * row_bytes)
            for number, frames in _first(loader, batches):
                file.write(encode(vae, frames, device, self.passes).tobytes())
                bar.advance(len(frames))
                if number % 16 == 15 or number == batches - 1:
                    file.flush()
                    self._note(shape, samples, min(first + (number + 1) * size, len(samples)))
        dataset.close()

    def _note(self, shape: Shape, samples: list[Sample], done: int) -> None:
        self.done[shape] = done
        write_json(self._progress(shape), {"count": done, "order": _order(samples[:done])})

    def _read(self, shape: Shape) -> int:
        """How many rows of a shape are on disk: those of the first samples; a shorter manifest may use the first."""
        if not self._progress(shape).exists():
            return 0
        samples, known = self.buckets[shape], read_json(self._progress(shape))
        count = int(known["count"])
        if count <= len(samples) and known["order"] != _order(samples[:count]):
            raise Failure(
                f"the latents in {self.folder} were made from other samples than the index lists now; delete that "
                f"folder to encode them anew"
            )
        return count

    def _progress(self, shape: Shape) -> Path:
        return self.folder / f"{_name(shape)}.json"

    def _path(self, shape: Shape) -> Path:
        return self.folder / f"{_name(shape)}.f16"


@torch.no_grad()
def encode(vae: Autoencoder, frames: np.ndarray, device: torch.device, passes: int = 1) -> np.ndarray:
    """Raw posterior means, fp16 [B, C, f, h, w], of uint8 [B, F, H, W, 3], in the device's fast number format."""
    with autocast(device, "auto", resolve_dtype(device)):
        mean = encode_closely(
            to_video(frames, device), passes, lambda video: vae.posterior(video)[0], vae.reconstruct
        )
    peak = float(mean.abs().max())
    if not peak < HALF_LIMIT:
        raise Failure(f"the autoencoder gives latents up to {peak:.3g}, which fp16 cannot hold")
    return mean.float().cpu().numpy().astype(np.float16)


def _first(loader: Loader[np.ndarray], count: int):
    # Asking the loader for one batch more would have it decode past the end.
    return islice(loader, count)


def _unit_name(folder: Path) -> str:
    # New captions change `wordings` and the shards' bytes, and leave every pixel as it is.
    settings = {key: value for key, value in read_json(folder / "dataset.json").items() if key != "wordings"}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{folder.name}-{digest[:12]}"


def _name(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _order(samples: list[Sample]) -> str:
    return hashlib.sha256("\n".join(s.key for s in samples).encode()).hexdigest()
