"""One model of a checkpoint as it is found: what its tensors are, in whose names, and of which sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from worldloom.core.checkpoint import METADATA_KEY
from worldloom.core.config import from_dict, to_dict
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json, write_json
from worldloom.core.weights import TensorInfo, Weights, write_tensors
from worldloom.dit import layout as dit_layout
from worldloom.dit import original as dit_original
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import KEPT_IN_FP32, Transformer
from worldloom.generate.assembly import IMAGE_ENCODER
from worldloom.text import encoder as text_encoder
from worldloom.text import image_encoder
from worldloom.text import original as text_original
from worldloom.vae import autoencoder
from worldloom.vae import original as vae_original

CONFIG_FILE = "config.json"
DIFFUSERS, ORIGINAL = "diffusers layout", "original release"
TRANSFORMER, VAE, TEXT_ENCODER = "transformer", "vae", "text_encoder"
# Names that only one kind of model has, in one of the two layouts.
MARKS: dict[tuple[str, str], str] = {
    (TRANSFORMER, DIFFUSERS): r"^condition_embedder\.|^blocks\.\d+\.attn[12]\.",
    (TRANSFORMER, ORIGINAL): rf"^({re.escape(dit_original.PREFIX)})?"
    r"(head\.|time_embedding\.|blocks\.\d+\.(self|cross)_attn\.)",
    (VAE, DIFFUSERS): r"^(en|de)coder\.(mid_block|down_blocks|up_blocks)\.",
    (VAE, ORIGINAL): r"^(en|de)coder\.(middle|downsamples|upsamples)\.",
    (TEXT_ENCODER, DIFFUSERS): r"^encoder\.block\.",
    (TEXT_ENCODER, ORIGINAL): r"^blocks\.\d+\.(attn\.|ffn\.fc1\.|pos_embedding\.)",
    (IMAGE_ENCODER, DIFFUSERS): r"^(vision_model\.)?(encoder\.layers|embeddings)\.",
    (IMAGE_ENCODER, ORIGINAL): r"^visual\.",
}


class Place(NamedTuple):
    """Where a tensor is kept: under which name, as which part of it, of how many equal ones along its first axis."""

    name: str
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class Part:
    """A model found in files. `places` says for every tensor of ours, of `shapes`, where it is kept there."""

    kind: str
    layout: str
    weights: Weights
    config: Any
    content: Mapping[str, Any]  # of the config.json to write
    shapes: Mapping[str, tuple[int, ...]]
    places: Mapping[str, Place]

    @property
    def file_name(self) -> str:
        encoder = self.kind in (TEXT_ENCODER, IMAGE_ENCODER)
        return text_encoder.WEIGHTS_FILE if encoder else autoencoder.WEIGHTS_FILE

    def info(self, dtype: torch.dtype | None) -> dict[str, TensorInfo]:
        """Return shape and number format of every tensor when written in `dtype` (None: as stored)."""
        return {
            name: TensorInfo(
                shape, self._dtype(name, dtype or self.weights.info[self.places[name].name].dtype)
            )
            for name, shape in self.shapes.items()
        }

    def read(self, name: str) -> torch.Tensor:
        """Return one tensor of ours; what has axes of length 1 too many or too few is reshaped."""
        return self.weights.read(*self.places[name]).reshape(self.shapes[name])

    def write(
        self, folder: Path, dtype: torch.dtype | None, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Write `config.json` and weights in the diffusers layout, one tensor at a time."""
        folder.mkdir(parents=True)
        header = {"format": "pt", METADATA_KEY: "{}"}
        write_tensors(folder / self.file_name, self.info(dtype), self.read, header, on_bytes=on_bytes)
        write_json(folder / CONFIG_FILE, self.content)

    def _dtype(self, name: str, dtype: torch.dtype) -> torch.dtype:
        """Return the number format of a tensor: noise levels and the small autoencoder keep their precision."""
        stored = self.weights.info[self.places[name].name].dtype
        if self.kind == VAE:
            return stored
        if self.kind == TRANSFORMER and any(kept in name for kept in KEPT_IN_FP32):
            return torch.float32
        return dtype


def find_part(path: Path) -> Part:
    """Return the model that a safetensors file or index holds.

    Raises Failure for names of several layouts in one set and for missing, unknown or misshapen tensors, UsageError
    for what is no model of Wan's.
    """
    weights = Weights(path)
    found = {key: name for key, mark in MARKS.items() if (name := _first(mark, weights)) is not None}
    if not found:
        raise UsageError(f"{path} holds none of {', '.join(sorted({kind for kind, _ in MARKS}))}")
    if len(found) > 1:
        listed = " and ".join(
            f"the {kind} of the {layout} ({name})" for (kind, layout), name in found.items()
        )
        raise Failure(f"{path} mixes {listed}; a set of weights holds one model in one layout")
    (kind, layout), _ = found.popitem()
    part = FINDERS[kind](path, weights, layout)
    _check(part)
    return part


def _first(mark: str, weights: Weights) -> str | None:
    return next((name for name in weights.info if re.search(mark, name)), None)


def _find_transformer(path: Path, weights: Weights, layout: str) -> Part:
    prefix = ""
    if layout == DIFFUSERS:
        config = from_dict(TransformerConfig, dit_layout.from_diffusers(_config(path)))
    else:
        prefix = dit_original.PREFIX if any(n.startswith(dit_original.PREFIX) for n in weights.info) else ""
        shapes = {name.removeprefix(prefix): shape for name, shape in weights.shapes.items()}
        beside = path.parent / CONFIG_FILE
        config = dit_original.config_from_original(shapes, read_json(beside) if beside.is_file() else {})
    with torch.device("meta"):
        ours = {name: tuple(t.shape) for name, t in Transformer(config).state_dict().items()}
    rename = _same if layout == DIFFUSERS else dit_original.original_name
    places = {name: Place(prefix + rename(name)) for name in ours}
    content = dit_layout.to_diffusers(to_dict(config))
    return Part(TRANSFORMER, layout, weights, config, content, ours, places)


def _find_autoencoder(path: Path, weights: Weights, layout: str) -> Part:
    original = layout == ORIGINAL
    config = (
        vae_original.config_from_original(weights.shapes)
        if original
        else autoencoder.config_of(_config(path))
    )
    with torch.device("meta"):
        ours = {n: tuple(t.shape) for n, t in autoencoder.Autoencoder(config).state_dict().items()}
    places = {name: Place(vae_original.original_name(name, config) if original else name) for name in ours}
    content = {"_class_name": autoencoder.CLASS_NAME, **to_dict(config)}
    return Part(VAE, layout, weights, config, content, ours, places)


def _find_text_encoder(path: Path, weights: Weights, layout: str) -> Part:
    original = layout == ORIGINAL
    config = (
        text_original.text_config_from_original(weights.shapes)
        if original
        else text_encoder.read_config(path.parent / CONFIG_FILE)
    )
    with torch.device("meta"):
        ours = text_encoder.TextEncoder(config).shapes
    table = text_encoder.TIED if text_encoder.EMBEDDING not in weights.info else text_encoder.EMBEDDING
    renamed = {text_encoder.EMBEDDING: table}
    places = {
        name: Place(text_original.text_original_name(name) if original else renamed.get(name, name))
        for name in ours
    }
    return Part(TEXT_ENCODER, layout, weights, config, text_encoder.config_content(config), ours, places)


def _find_image_encoder(path: Path, weights: Weights, layout: str) -> Part:
    original = layout == ORIGINAL
    config = (
        text_original.image_config_from_original(weights.shapes)
        if original
        else image_encoder.read_config(path.parent / CONFIG_FILE)
    )
    with torch.device("meta"):
        ours = image_encoder.ImageEncoder(config).shapes
    stored = image_encoder.stored_names(weights, ours)
    places = {
        name: Place(*text_original.image_original_name(name)) if original else Place(stored[name])
        for name in ours
    }
    return Part(IMAGE_ENCODER, layout, weights, config, image_encoder.config_content(config), ours, places)


FINDERS: dict[str, Callable[[Path, Weights, str], Part]] = {
    TRANSFORMER: _find_transformer,
    VAE: _find_autoencoder,
    TEXT_ENCODER: _find_text_encoder,
    IMAGE_ENCODER: _find_image_encoder,
}


def _same(name: str) -> str:
    return name


def _config(path: Path) -> Mapping[str, Any]:
    file = path.parent / CONFIG_FILE
    if not file.is_file():
        raise UsageError(f"{path} is in the diffusers layout, which needs a {CONFIG_FILE} beside it")
    return read_json(file)


def _check(part: Part) -> None:
    """Raise Failure unless the file holds exactly the tensors of the model, each of a shape that fits."""
    stored = part.weights.shapes
    expected: dict[str, tuple[int, ...]] = {}
    for name, place in part.places.items():
        shape = part.shapes[name]
        whole = (shape[0] * place.parts, *shape[1:])
        found = stored.get(place.name, whole)
        # the original keeps some tables and vectors with axes of length 1 around them
        same = [n for n in found if n != 1] == [n for n in whole if n != 1]
        expected[place.name] = found if same and part.kind == IMAGE_ENCODER else whole
    expected |= {name: stored[name] for name in stored if _is_spare(part.kind, name)}
    part.weights.check(expected)


def _is_spare(kind: str, name: str) -> bool:
    """Whether a tensor may be there and is not needed: halves of CLIP that read words, tables stored twice."""
    if kind == IMAGE_ENCODER:
        return bool(re.match(r"textual\.|log_scale$|visual\.head", name)) or name.endswith("position_ids")
    return kind == TEXT_ENCODER and name == text_encoder.TIED
