"""How the parts of a checkpoint work together: `model_index.json`, as diffusers' Wan pipelines read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json

INDEX_FILE = "model_index.json"
WORDS, PICTURES = "WanPipeline", "WanImageToVideoPipeline"  # which pipeline of diffusers begins from what
REQUIRED = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
REFINER, IMAGE_ENCODER, IMAGE_PROCESSOR = "transformer_2", "image_encoder", "image_processor"
VERSION = "0.35.0"  # the diffusers whose layout this is
ABSENT = [None, None]


@dataclass(frozen=True)
class Assembly:
    """The facts that one part alone does not tell.

    per_token: a noise level for every token; else one for all.
    boundary: the noise level below which `transformer_2` takes over, None without one.
    from_pictures: known frames are shown as channels stacked under the noise.
    image_encoder: there is one, and the transformer attends to what it sees.
    """

    per_token: bool = True
    boundary: float | None = None
    from_pictures: bool = False
    image_encoder: bool = False

    def __post_init__(self) -> None:
        if self.boundary is not None and not 0 < self.boundary < 1:
            raise UsageError(f"boundary_ratio is {self.boundary}; it must be between 0 and 1")

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders that a checkpoint of this kind has."""
        optional = {REFINER: self.boundary is not None, IMAGE_ENCODER: self.image_encoder}
        optional[IMAGE_PROCESSOR] = self.image_encoder
        return (*REQUIRED, *(name for name, there in optional.items() if there))

    def index(self, tokenizer_class: str = "PreTrainedTokenizerFast") -> dict[str, Any]:
        """Return the contents of `model_index.json`."""
        two, sees = self.boundary is not None, self.image_encoder
        content: dict[str, Any] = {
            "_class_name": PICTURES if self.from_pictures else WORDS,
            "_diffusers_version": VERSION,
            "boundary_ratio": self.boundary,
            "expand_timesteps": self.per_token,
        }
        if self.from_pictures:
            content[IMAGE_ENCODER] = ["transformers", "CLIPVisionModel"] if sees else ABSENT
            content[IMAGE_PROCESSOR] = ["transformers", "CLIPImageProcessor"] if sees else ABSENT
        return content | {
            "scheduler": ["diffusers", "UniPCMultistepScheduler"],
            "text_encoder": ["transformers", "UMT5EncoderModel"],
            "tokenizer": ["transformers", tokenizer_class],
            "transformer": ["diffusers", "WanTransformer3DModel"],
            REFINER: ["diffusers", "WanTransformer3DModel"] if two else ABSENT,
            "vae": ["diffusers", "AutoencoderKLWan"],
        }

    @classmethod
    def read(cls, folder: Path) -> Assembly:
        """Return what a folder's `model_index.json` says.

        Raises UsageError for a pipeline of another family, Failure for a file that contradicts itself.
        """
        path = folder / INDEX_FILE
        content = read_json(path)
        name = content.get("_class_name") if isinstance(content, Mapping) else None
        if name not in (WORDS, PICTURES):
            raise UsageError(f"{path} describes a {name}; expected a {WORDS} or {PICTURES}")
        has = {part: content.get(part, ABSENT)[1] is not None for part in (REFINER, IMAGE_ENCODER)}
        boundary = content.get("boundary_ratio")
        if has[REFINER] != (boundary is not None):
            raise Failure(
                f"{path} has boundary_ratio {boundary} and {'a' if has[REFINER] else 'no'} {REFINER}; "
                "it needs both or neither"
            )
        # Wan 2.2 TI2V-5B begins from pictures by its noise levels per token, and stacks nothing.
        per_token = bool(content.get("expand_timesteps", False))
        return cls(per_token, boundary, name == PICTURES and not per_token, has[IMAGE_ENCODER])
