"""What there is to train on: the samples of one or several dataset folders.

A dataset folder holds `dataset.json` (how it was made), `index.jsonl` (one line per sample) and WebDataset
shards `shard-00000.tar`. A manifest only reads the index; pixels and captions stay in the shards.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of
from worldloom.core.seed import derive_seed


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of an index: where a clip or picture lies and how large it is."""

    key: str
    folder: Path
    shard: str
    family: str
    seed: int
    width: int
    height: int
    num_frames: int
    fps: float
    picture: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, height, width) in pixels."""
        return self.num_frames, self.height, self.width

    @property
    def identity(self) -> str:
        """A name that is the same wherever the dataset lies: augmentation draws from it."""
        return f"{self.folder.name}/{self.key}"

    @property
    def member(self) -> str:
        """Name of the pixel file inside the shard."""
        return f"{self.key}.png" if self.picture else f"{self.key}.mp4"


@dataclass(frozen=True)
class Manifest:
    """Samples of all folders, in the order of the folders and of their indices."""

    samples: tuple[Sample, ...]

    @staticmethod
    def load(folders: Sequence[Path | str]) -> "Manifest":
        """Read the indices of `folders`.

        Raises:
            UsageError: no folder is given, or one has no index.
            Failure: an index line cannot be understood.
        """
        if not folders:
            raise UsageError("no dataset folder is given; name at least one with --data.folders=DIR")
        samples: list[Sample] = []
        for folder in map(Path, folders):
            samples.extend(_read_index(folder.resolve()))
        if not samples:
            raise UsageError(f"the dataset folders {', '.join(map(str, folders))} hold no sample")
        return Manifest(tuple(samples))

    def split(self, holdout_permille: int) -> tuple["Manifest", "Manifest"]:
        """(training, held-out) parts; a scene (family, seed) is on one side in whatever size it was rendered."""
        held = [derive_seed("holdout", s.family, s.seed) % 1000 < holdout_permille for s in self.samples]
        training = tuple(s for s, out in zip(self.samples, held, strict=True) if not out)
        heldout = tuple(s for s, out in zip(self.samples, held, strict=True) if out)
        return Manifest(training), Manifest(heldout)

    def by_folder(self) -> dict[Path, "Manifest"]:
        """The samples grouped by dataset folder, order kept."""
        groups: dict[Path, list[Sample]] = {}
        for sample in self.samples:
            groups.setdefault(sample.folder, []).append(sample)
        return {folder: Manifest(tuple(samples)) for folder, samples in groups.items()}


def verify_shards(folder: Path) -> None:
    """Compare every shard of a dataset folder with the SHA-256 recorded in `shards.json`.

    Raises:
        Failure: names the first shard that is missing or differs.
    """
    recorded = json.loads((folder / "shards.json").read_text())
    for name, entry in recorded.items():
        path = folder / name
        if not path.exists():
            raise Failure(f"shard {path} is listed in shards.json but missing")
        actual = sha256_of(path)
        if actual != entry["sha256"]:
            raise Failure(f"shard {path} has SHA-256 {actual}, shards.json says {entry['sha256']}")


def _read_index(folder: Path) -> list[Sample]:
    index = folder / "index.jsonl"
    if not index.is_file():
        raise UsageError(f"{folder} is no dataset folder: it has no index.jsonl")
    samples = []
    for number, line in enumerate(index.read_text().splitlines(), start=1):
        try:
            samples.append(_parse(json.loads(line), folder))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise Failure(f"line {number} of {index} is not a sample: {error!r}") from error
    return samples


def _parse(entry: dict, folder: Path) -> Sample:
    return Sample(
        key=str(entry["key"]),
        folder=folder,
        shard=str(entry["shard"]),
        family=str(entry["family"]),
        seed=int(entry["seed"]),
        width=int(entry["width"]),
        height=int(entry["height"]),
        num_frames=int(entry["num_frames"]),
        fps=float(entry["fps"]),
        picture=bool(entry["picture"]),
    )
