"""The prompt encoder: transformers' UMT5 encoder, as in Wan, trained here together with the transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from worldloom.core.checkpoint import save_tensors
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import read_json, write_json
from worldloom.core.weights import Weights, find_weights
from worldloom.nn.placing import Offload, place
from worldloom.nn.streamed import StreamedTable

if TYPE_CHECKING:
    from transformers import UMT5EncoderModel

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
EMBEDDING, TIED = "shared.weight", "encoder.embed_tokens.weight"
"""One table under two names: transformers writes the first only, other writers the second or both."""

NEARNESS = 0.7
"""What attention to a word loses per word of distance at first, as a logarithm."""

REQUIRED = ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads")


@dataclass(frozen=True)
class TextEncoderConfig:
    """Sizes of a UMT5 encoder, under transformers' names."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.0
    """Zero also in training: the encoder is trained through the transformer's loss, which drops whole prompts."""
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: str = "gated-gelu"


class TextEncoder(nn.Module):
    """Token ids to text embeddings. Rows past a prompt's length are zero, as Wan pads."""

    def __init__(self, config: TextEncoderConfig):
        super().__init__()
        # transformers takes seconds to import, so only a program that encodes text pays for it.
        from transformers.models.umt5.modeling_umt5 import UMT5EncoderModel

        self.config = config
        self.model: UMT5EncoderModel = UMT5EncoderModel(_transformers_config(config))
        self._look_near()

    @property
    def embed_size(self) -> int:
        return self.config.d_model

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings [B, L, D] in the weights' dtype.

        Args:
            ids: int64 [B, L]; what stands past a row's length has no influence.
            lengths: int64 [B], each 0 to L; a row of length 0 is all zero.
        """
        if lengths.shape != ids.shape[:1]:
            raise UsageError(
                f"lengths has shape {tuple(lengths.shape)}; for {len(ids)} prompts it must be ({len(ids)},)"
            )
        valid = torch.arange(ids.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
        # A row with nothing to attend to would be NaN in the softmax, and NaN * 0 is NaN: it sees its first token.
        attend = valid | (torch.arange(ids.shape[1], device=ids.device) == 0)
        ids = ids.masked_fill(~valid, 0)
        embeds = self.model(input_ids=ids, attention_mask=attend.long()).last_hidden_state
        return embeds.to(self.dtype) * valid[..., None]

    @torch.no_grad()
    def _look_near(self) -> None:
        """Let heads in turn look at what comes before, after, on both sides of a word, and everywhere.

        Nothing else tells the encoder where a word stands. These biases start near 0 and move by a learning rate a
        step, while telling a neighbour from a stranger takes several: an encoder that started flat was a bag of words
        still after 500 steps, and gave each thing the colour of any other (2026-11).
        """
        half = self.config.relative_attention_num_buckets // 2
        far = half // 2  # buckets of one distance each; those above are wider and wider
        away = torch.arange(half).clamp(max=far)
        before, after, never = away, away, torch.full((half,), far)
        sides = [(before, never), (never, after), (before, after), (0 * before, 0 * after)]
        for block in self.model.encoder.block:
            bias = block.get_parameter("layer.0.SelfAttention.relative_attention_bias.weight")
            for head in range(self.config.num_heads):
                # what stands at no distance is a word itself, which is counted as before
                bias[:, head] = -NEARNESS * torch.cat(sides[head % len(sides)]).to(bias)
                bias[0, head] = 0.0

    @property
    def dtype(self) -> torch.dtype:
        return self.model.shared.weight.dtype

    def save(self, folder: str | PathLike[str]) -> None:
        """Write `config.json` and `model.safetensors` as transformers' `UMT5EncoderModel` reads them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / WEIGHTS_FILE, self._tensors(), {"format": "pt"})
        stored = {"dtype": str(self.dtype).removeprefix("torch.")}
        write_json(folder / CONFIG_FILE, config_content(self.config) | stored)

    @classmethod
    def load(
        cls,
        folder: str | PathLike[str],
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        offload: Offload = "none",
    ) -> TextEncoder:
        """Read a folder written by `save` or by transformers; `dtype` None keeps the file's. Returned in eval mode.

        Under `offload` its layers come one by one, and of the table only the rows that a prompt has.
        """
        folder = Path(folder)
        config = read_config(folder / CONFIG_FILE)
        with torch.device("meta"):  # no random weights for tensors that are about to be replaced
            encoder = cls(config)
        weights = _open_weights(folder, encoder.shapes)
        dtypes = {name: dtype or info.dtype for name, info in weights.info.items()}
        model = encoder.model
        del model.encoder.embed_tokens  # the same table again, which must not be loaded twice
        if offload != "none":
            table = weights.info[EMBEDDING]
            where = torch.device(device)
            model.set_submodule(
                "shared", StreamedTable(weights, EMBEDDING, table.shape, dtypes.pop(EMBEDDING), where)
            )
        place(model, weights, dtypes, device, offload, row="encoder.block")
        model.encoder.embed_tokens = model.shared
        return encoder.eval()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor under transformers' names, the table once."""
        return {name: tuple(tensor.shape) for name, tensor in self._tensors().items()}

    def _tensors(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.model.state_dict().items() if name != TIED}


def config_content(config: TextEncoderConfig) -> dict[str, Any]:
    """Return the contents of transformers' `config.json`."""
    return _transformers_config(config).to_diff_dict() | {"architectures": ["UMT5EncoderModel"]}


def _transformers_config(config: TextEncoderConfig) -> Any:
    from transformers.models.umt5.configuration_umt5 import UMT5Config

    return UMT5Config(
        **{name: getattr(config, name) for name in TextEncoderConfig.__dataclass_fields__},
        is_encoder_decoder=False,
        use_cache=False,
    )


def read_config(path: Path) -> TextEncoderConfig:
    """Return the sizes in transformers' `config.json`; raises Failure for another kind of model."""
    from transformers.models.umt5.configuration_umt5 import UMT5Config

    content = read_json(path)
    if not isinstance(content, dict) or content.get("model_type") != "umt5":
        raise Failure(f"{path} does not describe a umt5 encoder")
    missing = [name for name in REQUIRED if name not in content]
    if missing:
        raise Failure(f"{path} lacks {', '.join(missing)}")
    # By way of transformers' class, as its files leave out what equals its own defaults.
    full = UMT5Config.from_dict(content)
    return TextEncoderConfig(**{name: getattr(full, name) for name in TextEncoderConfig.__dataclass_fields__})


def _open_weights(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> Weights:
    """Return the weights of a folder under `expected` names; it may hold the table under either name or both."""
    weights = Weights(find_weights(folder))
    if TIED in weights.info:
        weights.rename(TIED, EMBEDDING)
    weights.check(expected)
    return weights
