"""The diffusers layout of a transformer's folder: what `config.json` calls each field, and its checks.

This is the only place that knows those names; the names of the parameters are the same in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldloom.core.error import UsageError

CLASS_NAME = "WanTransformer3DModel"
NAMES = {
    "patch_size": "patch_size",
    "num_heads": "num_attention_heads",
    "in_channels": "in_channels",
    "out_channels": "out_channels",
    "text_size": "text_dim",
    "freq_size": "freq_dim",
    "ffn_size": "ffn_dim",
    "depth": "num_layers",
    "text_norm": "cross_attn_norm",
    "eps": "eps",
    "image_size": "image_dim",
    "image_tokens": "pos_embed_seq_len",
}
# Fields that diffusers has no name for are written only where they differ from what it assumes.
OWN_FIELDS = {"text_length": 512, "action_size": None}
# Keys with one supported value, or none that matters here: positions are computed for any length.
HEAD_SIZE, QK_NORM, IMAGE_KEYS, LONGEST = (
    "attention_head_dim",
    "qk_norm",
    "added_kv_proj_dim",
    "rope_max_seq_len",
)
OPTIONAL = {"pos_embed_seq_len": None, "image_dim": None, IMAGE_KEYS: None, LONGEST: 1024} | OWN_FIELDS
QK_NORM_KIND = "rms_norm_across_heads"


def to_diffusers(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of `config.json` for the fields of a `TransformerConfig`."""
    own = {name: fields[name] for name, usual in OWN_FIELDS.items() if fields[name] != usual}
    return {
        "_class_name": CLASS_NAME,
        **{theirs: fields[ours] for ours, theirs in NAMES.items()},
        HEAD_SIZE: fields["hidden_size"] // fields["num_heads"],
        QK_NORM: QK_NORM_KIND,
        IMAGE_KEYS: None if fields["image_size"] is None else fields["hidden_size"],
        LONGEST: 1024,
        **own,
    }


def from_diffusers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `TransformerConfig` that `config.json` describes.

    Raises UsageError for another class of model, and names unknown, missing and unsupported fields.
    """
    if values.get("_class_name") != CLASS_NAME:
        raise UsageError(f"config.json describes a {values.get('_class_name')}; expected a {CLASS_NAME}")
    fields = OPTIONAL | {name: value for name, value in values.items() if not name.startswith("_")}
    expected = {*NAMES.values(), *OPTIONAL, HEAD_SIZE, QK_NORM}
    unknown, missing = sorted(set(fields) - expected), sorted(expected - set(fields))
    if unknown or missing:
        raise UsageError(
            f"config.json of the transformer: unknown fields {unknown}, missing fields {missing}; "
            f"known: {sorted(expected)}"
        )
    hidden_size = fields["num_attention_heads"] * fields[HEAD_SIZE]
    if fields[QK_NORM] != QK_NORM_KIND:
        raise UsageError(f"{QK_NORM} is {fields[QK_NORM]!r}; only {QK_NORM_KIND!r} is supported")
    if fields[IMAGE_KEYS] != (None if fields["image_dim"] is None else hidden_size):
        raise UsageError(
            f"{IMAGE_KEYS} is {fields[IMAGE_KEYS]} with image_dim {fields['image_dim']} and a width of "
            f"{hidden_size}; the picture branch has both, and the former equals the width"
        )
    named = {ours: fields[theirs] for ours, theirs in NAMES.items()}
    return {"hidden_size": hidden_size, **named, **{name: fields[name] for name in OWN_FIELDS}}
