"""Every published configuration has diffusers' parameters one to one; built without memory, on the meta device."""

import pytest
import torch

from tests.dit.reference import diffusers_model
from worldloom.core.config import from_dict, to_dict
from worldloom.dit import presets
from worldloom.dit.config import TransformerConfig
from worldloom.dit.layout import from_diffusers, to_diffusers
from worldloom.dit.model import Transformer

PUBLISHED = {
    presets.wan21_1_3b: 1.42e9,
    presets.wan21_14b: 14.29e9,
    presets.wan21_i2v_14b: 16.40e9,
    presets.wan22_5b: 5.00e9,
    presets.wan22_a14b_t2v: 14.29e9,
    presets.wan22_a14b_i2v: 14.29e9,
}


@pytest.mark.parametrize("preset", PUBLISHED, ids=lambda preset: preset.__name__)
def test_keys_and_shapes_equal_diffusers(preset):
    with torch.device("meta"):
        ours = {name: tuple(x.shape) for name, x in Transformer(preset()).state_dict().items()}
        theirs = {name: tuple(x.shape) for name, x in diffusers_model(preset()).state_dict().items()}
    assert ours == theirs
    count = sum(torch.Size(shape).numel() for shape in ours.values())
    assert count == pytest.approx(PUBLISHED[preset], rel=0.01)


@pytest.mark.parametrize(
    "preset", [*PUBLISHED, presets.tiny, presets.debug], ids=lambda preset: preset.__name__
)
def test_config_survives_the_layout(preset):
    assert from_dict(TransformerConfig, from_diffusers(to_diffusers(to_dict(preset())))) == preset()


def test_tiny_is_tiny():
    count = sum(parameter.numel() for parameter in Transformer(presets.tiny()).parameters())
    assert 10e6 < count < 16e6
