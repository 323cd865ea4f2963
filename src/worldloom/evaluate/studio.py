"""The model under test, and every clip it has painted for a suite: painted once, then read from a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from worldloom.core.checkpoint import hash_folder
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import whole_file
from worldloom.generate.card import Card
from worldloom.generate.clip import Clip
from worldloom.generate.folder import find_folder
from worldloom.generate.pipeline import Pipeline

NO_MODEL = "none"
"""Model name with which a suite scores real renders alone."""


@dataclass(frozen=True)
class Painting:
    """How the model is asked to paint; None is its own default."""

    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    temperature: float | None = None
    epsilon_scale: float | None = None
    deflicker: float | None = None
    history_guidance: float | None = None
    stillness: float | None = None
    device: str = "auto"
    fast: bool = False


class Studio:
    """A loaded model whose clips are kept in `folder` by weights, verb, arguments and sampling; None keeps none.

    The code is not part of that name: after a change in how clips are painted, give another folder.
    """

    def __init__(self, model: str, painting: Painting | None = None, folder: Path | None = None) -> None:
        painting = painting or Painting()
        self.model, self.folder = model, folder
        self.pipeline = Pipeline.from_pretrained(model, device=painting.device, fast=painting.fast)
        self.weights = _digest(hash_folder(find_folder(model)))
        self.fast = {"fast": True} if painting.fast else {}
        self.options = {
            name: value
            for name, value in asdict(painting).items()
            if name not in ("device", "fast") and value is not None
        }

    @property
    def card(self) -> Card:
        return self.pipeline.card

    @property
    def sampling(self) -> dict[str, Any]:
        """Sampler, steps, guidance, shift, temperature, epsilon scale, deflicker, history guidance and stillness of every clip."""
        own, names = asdict(self.card.sampling), {"steps": "num_steps", "guidance": "guidance_scale"}
        return own | {names.get(name, name): value for name, value in self.options.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """What a result records about the model: its weights' hash and how it samples."""
        return {"weights": self.weights[:12], **self.fast, **self.sampling}

    def paint(self, verb: str, *sources: Any, seed: int, **how: Any) -> np.ndarray:
        """Return the frames uint8 [F, H, W, 3] of a verb of `Pipeline`: `paint("extend", clip, num_frames=16, seed=1)`."""
        key = {
            "weights": self.weights,
            **self.fast,
            "sampling": self.sampling,
            "verb": verb,
            "sources": [_plain(source) for source in sources],
            "how": {name: _plain(value) for name, value in how.items()} | {"seed": seed},
        }
        path = self._path(key)
        if path is not None and path.exists():
            return _read(path)
        clip: Clip = getattr(self.pipeline, verb)(*sources, seed=seed, **how, **self.options)
        if path is not None:
            _write(path, clip.frames, key)
        return clip.frames

    def reconstruct(self, frames: np.ndarray) -> np.ndarray:
        """Return frames uint8 [4n + 1, H, W, 3] after the autoencoder, with nothing painted."""
        engine = self.pipeline.stream.engine
        return np.concatenate(list(engine.decode(engine.encode(frames))))

    def _path(self, key: Mapping[str, Any]) -> Path | None:
        if self.folder is None:
            return None
        name = _digest(key)
        return self.folder / name[:2] / f"{name}.npz"


def open_studio(model: str, painting: Painting | None = None, folder: Path | None = None) -> Studio | None:
    """Return the studio of a model by name or folder; None for "none", which paints nothing."""
    return None if model == NO_MODEL else Studio(model, painting, folder)


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return an argument as JSON holds it; pixels by their hash."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.ndarray):
        pixels = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
        return {"shape": list(value.shape), "sha256": pixels}
    if isinstance(value, Clip):
        return {
            "frames": _plain(value.frames),
            "fps": _plain(value.fps),
            "prompt": value.settings.get("prompt"),
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    raise UsageError(f"clips cannot be kept by an argument of type {type(value).__name__}: {value!r}")


def _read(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["frames"]
    except (ValueError, KeyError, OSError) as error:
        raise Failure(f"{path} is no kept clip ({error}); remove it to paint it again") from error


def _write(path: Path, frames: np.ndarray, key: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, force=True) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, frames=frames, key=np.array(json.dumps(key, ensure_ascii=False)))
