"""`config.json` is read strictly."""

import pytest

from worldloom.core.config import from_dict, to_dict
from worldloom.core.error import UsageError
from worldloom.dit.config import TransformerConfig
from worldloom.dit.layout import from_diffusers, to_diffusers
from worldloom.dit.presets import debug

# As the 1.3B model's folder has it.
PUBLISHED = {
    "_class_name": "WanTransformer3DModel",
    "_diffusers_version": "0.33.0.dev0",
    "added_kv_proj_dim": None,
    "attention_head_dim": 128,
    "cross_attn_norm": True,
    "eps": 1e-06,
    "ffn_dim": 8960,
    "freq_dim": 256,
    "image_dim": None,
    "in_channels": 16,
    "num_attention_heads": 12,
    "num_layers": 30,
    "out_channels": 16,
    "patch_size": [1, 2, 2],
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 1024,
    "text_dim": 4096,
}


def test_published_config_is_read():
    config = from_dict(TransformerConfig, from_diffusers(PUBLISHED))
    assert (config.hidden_size, config.depth, config.patch_size, config.image_tokens) == (
        1536,
        30,
        (1, 2, 2),
        None,
    )


def test_own_fields_appear_only_when_used():
    plain = to_diffusers(to_dict(debug()))
    assert not {"action_size", "text_length"} & set(plain)
    assert to_diffusers({**to_dict(debug()), "action_size": 3})["action_size"] == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"_class_name": "LTXVideoTransformer3DModel"}, "LTXVideoTransformer3DModel"),
        ({"num_layer": 3}, "num_layer"),
        ({"qk_norm": None}, "qk_norm"),
        ({"added_kv_proj_dim": 64}, "added_kv_proj_dim"),
        ({"image_dim": 1280}, "image_dim"),
    ],
)
def test_what_is_not_supported_is_named(change, named):
    with pytest.raises(UsageError, match=named):
        from_diffusers({**PUBLISHED, **change})


def test_missing_field_is_named():
    with pytest.raises(UsageError, match="ffn_dim"):
        from_diffusers({name: value for name, value in PUBLISHED.items() if name != "ffn_dim"})
