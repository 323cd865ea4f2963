"""The picture encoder of Wan 2.1's image-to-video models: transformers' CLIP vision tower, its last layer but one.

It reads a picture into the same kind of rows that the text encoder makes of words, so it lives beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.checkpoint import save_tensors
from worldloom.core.error import Failure
from worldloom.core.file import read_json, write_json
from worldloom.core.weights import Weights, find_weights

if TYPE_CHECKING:
    from transformers import CLIPVisionModel

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
PREFIX = (
    "vision_model."  # before every name in files; transformers leaves it out since version 5, and reads both
)
POSITION_IDS = "embeddings.position_ids"  # a count from 0, stored by them as well
# CLIP's own normalisation, of pixels in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageEncoderConfig:
    """Sizes of a CLIP vision tower under transformers' names; the defaults are those of the published ViT-H/14."""

    hidden_size: int = 1280
    intermediate_size: int = 5120
    num_hidden_layers: int = 32
    num_attention_heads: int = 16
    image_size: int = 224
    patch_size: int = 14
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5


class ImageEncoder(nn.Module):
    """Pictures to rows of features: one for the whole and one for every patch."""

    def __init__(self, config: ImageEncoderConfig):
        super().__init__()
        # transformers takes seconds to import, so only a program that encodes pictures pays for it.
        from transformers.models.clip.modeling_clip import CLIPVisionModel

        self.config = config
        self.model: CLIPVisionModel = CLIPVisionModel(_transformers_config(config))

    @property
    def dtype(self) -> torch.dtype:
        return self.model.get_parameter("embeddings.patch_embedding.weight").dtype

    def forward(self, pictures: Tensor) -> Tensor:
        """Return features [B, L, hidden_size] of pictures [B, 3, H, W] in [-1, 1], from the last layer but one.

        As in Wan, both sides are scaled to the encoder's own size (bicubic), whatever the aspect.
        """
        side = self.config.image_size
        scaled = F.interpolate(pictures.float(), (side, side), mode="bicubic", align_corners=False)
        mean, std = (torch.tensor(v, device=pictures.device).view(1, 3, 1, 1) for v in (MEAN, STD))
        pixels = (((scaled + 1) / 2 - mean) / std).to(self.dtype)
        return self.model(pixel_values=pixels, output_hidden_states=True).hidden_states[-2]

    def save(self, folder: str | PathLike[str]) -> None:
        """Write `config.json` and `model.safetensors` as transformers' `CLIPVisionModel` reads them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / WEIGHTS_FILE, {PREFIX + name: t for name, t in self.model.state_dict().items()})
        write_json(folder / CONFIG_FILE, config_content(self.config))

    @classmethod
    def load(
        cls,
        folder: str | PathLike[str],
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> ImageEncoder:
        """Read a folder written by `save` or by transformers; `dtype` None keeps the file's. In evaluation mode."""
        folder = Path(folder)
        with torch.device("meta"):
            encoder = cls(read_config(folder / CONFIG_FILE))
        weights = Weights(find_weights(folder))
        stored = stored_names(weights, encoder.shapes)
        weights.check({stored[name]: shape for name, shape in encoder.shapes.items()} | position_ids(weights))
        tensors = {name.removeprefix(PREFIX): weights.read(stored[name]) for name in encoder.shapes}
        placed = {name: tensor.to(device, dtype) for name, tensor in tensors.items()}
        encoder.model.load_state_dict(placed, assign=True)
        # a buffer that no file needs to hold
        positions = torch.arange(len(placed["embeddings.position_embedding.weight"]), device=device)[None]
        encoder.model.embeddings.register_buffer("position_ids", positions, persistent=False)
        return encoder.eval()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor under the name that it has in files."""
        return {PREFIX + name: tuple(tensor.shape) for name, tensor in self.model.state_dict().items()}


def stored_names(weights: Weights, names: Iterable[str]) -> dict[str, str]:
    """Return under which name a file holds each tensor, with or without the prefix."""
    if any(name.startswith(PREFIX) for name in weights.info):
        return {name: name for name in names}
    return {name: name.removeprefix(PREFIX) for name in names}


def position_ids(weights: Weights) -> dict[str, tuple[int, ...]]:
    """Return the shape of the stored positions, which may be there and say nothing."""
    return {name: info.shape for name, info in weights.info.items() if name.endswith(POSITION_IDS)}


def read_config(path: Path) -> ImageEncoderConfig:
    """Return the sizes in transformers' `config.json`; raises Failure for another kind of model."""
    from transformers.models.clip.configuration_clip import CLIPVisionConfig

    content = read_json(path)
    if not isinstance(content, dict) or content.get("model_type") != "clip_vision_model":
        raise Failure(f"{path} does not describe a clip_vision_model")
    # By way of transformers' class, as its files leave out what equals its own defaults.
    full = CLIPVisionConfig.from_dict(content)
    return ImageEncoderConfig(
        **{field.name: getattr(full, field.name) for field in fields(ImageEncoderConfig)}
    )


def preprocessor_content(config: ImageEncoderConfig) -> dict[str, Any]:
    """Return transformers' `preprocessor_config.json`: what `forward` does to a picture before the tower."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_center_crop": False,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "resample": 3,  # bicubic
        "rescale_factor": 1 / 255,
        "size": {"height": config.image_size, "width": config.image_size},
    }


def config_content(config: ImageEncoderConfig) -> dict[str, Any]:
    """Return the contents of transformers' `config.json`."""
    return _transformers_config(config).to_diff_dict() | {"architectures": ["CLIPVisionModel"]}


def _transformers_config(config: ImageEncoderConfig) -> Any:
    from transformers.models.clip.configuration_clip import CLIPVisionConfig

    return CLIPVisionConfig(**{field.name: getattr(config, field.name) for field in fields(config)})
