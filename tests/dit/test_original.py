"""Original names of every published configuration, against diffusers' own converter; sizes read from shapes."""

from dataclasses import replace

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

from tests.dit.test_presets import PUBLISHED
from worldloom.core.error import UsageError
from worldloom.dit import presets
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import Transformer
from worldloom.dit.original import config_from_original, original_name


def meta_tensors(config: TransformerConfig) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return Transformer(config).state_dict()


@pytest.mark.parametrize("preset", PUBLISHED, ids=lambda preset: preset.__name__)
def test_names_are_those_that_diffusers_converts_back(preset):
    ours = meta_tensors(preset())
    original = {original_name(name): tensor for name, tensor in ours.items()}
    assert len(original) == len(ours)
    assert {"blocks.0.self_attn.q.weight", "head.modulation", "time_projection.1.bias"} <= set(original)
    shapes = {name: tuple(tensor.shape) for name, tensor in original.items()}
    assert config_from_original(shapes, {}) == preset()
    back = convert_wan_transformer_to_diffusers(dict(original))
    assert {name: t.shape for name, t in back.items()} == {name: t.shape for name, t in ours.items()}


def test_each_tensor_goes_to_its_own_place():
    """Shapes alone would not tell queries from keys, or the norms of words and pictures."""
    config = replace(presets.debug(), image_size=24, image_tokens=None)
    ours = Transformer(config).state_dict()
    marked = {name: torch.full_like(t, number) for number, (name, t) in enumerate(ours.items())}
    back = convert_wan_transformer_to_diffusers({original_name(n): t for n, t in marked.items()})
    assert all(torch.equal(back[name], tensor) for name, tensor in marked.items())


def test_first_and_last_picture_positions_are_named():
    config = replace(presets.debug(), image_size=24, image_tokens=10)
    shapes = {original_name(name): tuple(t.shape) for name, t in meta_tensors(config).items()}
    assert shapes["img_emb.emb_pos"] == (1, 10, 24)
    assert config_from_original(shapes, {"num_heads": 2}) == config


def test_what_is_missing_is_named():
    with pytest.raises(UsageError, match="text_embedding"):
        config_from_original(
            {"patch_embedding.weight": (8, 16, 1, 2, 2), "blocks.0.ffn.0.weight": (9, 8)}, {}
        )
