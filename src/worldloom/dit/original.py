"""The transformer under the names of Wan's original release, and the configuration that its shapes betray."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from worldloom.core.error import UsageError
from worldloom.dit.config import TransformerConfig

MARK = "head.modulation"  # a name that every original transformer has, and nothing else
PREFIX = "model.diffusion_model."  # put before every name by some single-file releases
HEAD_SIZE = 128  # channels per head of every published Wan transformer; shapes do not tell it
# (our name, the original's), applied in order: the first that matches at a place wins it.
RENAMED = (
    (r"^condition_embedder\.time_embedder\.linear_1\b", "time_embedding.0"),
    (r"^condition_embedder\.time_embedder\.linear_2\b", "time_embedding.2"),
    (r"^condition_embedder\.time_proj\b", "time_projection.1"),
    (r"^condition_embedder\.text_embedder\.linear_1\b", "text_embedding.0"),
    (r"^condition_embedder\.text_embedder\.linear_2\b", "text_embedding.2"),
    (r"^condition_embedder\.image_embedder\.norm1\b", "img_emb.proj.0"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj\b", "img_emb.proj.1"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2\b", "img_emb.proj.3"),
    (r"^condition_embedder\.image_embedder\.norm2\b", "img_emb.proj.4"),
    (r"^condition_embedder\.image_embedder\.pos_embed\b", "img_emb.emb_pos"),
    (r"^scale_shift_table\b", "head.modulation"),
    (r"^proj_out\b", "head.head"),
    (r"\.scale_shift_table\b", ".modulation"),
    (r"\.attn1\b", ".self_attn"),
    (r"\.attn2\b", ".cross_attn"),
    (r"\.to_out\.0\b", ".o"),
    (r"\.to_([qkv])\b", r".\1"),
    (r"\.add_([kv])_proj\b", r".\1_img"),
    (r"\.norm_added_k\b", ".norm_k_img"),
    (r"\.norm2\b", ".norm3"),  # only the middle norm of a block has weights; the original counts it last
    (r"\.ffn\.net\.0\.proj\b", ".ffn.0"),
    (r"\.ffn\.net\.2\b", ".ffn.2"),
)


def original_name(name: str) -> str:
    """Return what the original release calls a parameter of `Transformer`."""
    for pattern, replacement in RENAMED:
        if pattern.startswith("^") and re.search(pattern, name):
            return re.sub(pattern, replacement, name)
        name = re.sub(pattern, replacement, name)
    return name


def config_from_original(
    shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Any]
) -> TransformerConfig:
    """Return the configuration of a transformer whose tensors have these original names and shapes.

    `values` is the release's `config.json` where there is one: it alone can tell another count of heads than the
    published one. Raises UsageError for a set of names from which the sizes cannot be read.
    """
    try:
        hidden_size, in_channels, *patch_size = shapes["patch_embedding.weight"]
        ffn_size, text_size = shapes["blocks.0.ffn.0.weight"][0], shapes["text_embedding.0.weight"][1]
        freq_size, out_rows = shapes["time_embedding.0.weight"][1], shapes["head.head.weight"][0]
    except KeyError as error:
        raise UsageError(f"not a whole transformer in the original release's names: no {error}") from error
    image = shapes.get("img_emb.proj.0.weight")
    positions = shapes.get("img_emb.emb_pos")
    frames, rows, columns = patch_size
    return TransformerConfig(
        hidden_size=hidden_size,
        num_heads=int(values.get("num_heads", max(1, hidden_size // HEAD_SIZE))),
        depth=len({name.split(".")[1] for name in shapes if name.startswith("blocks.")}),
        ffn_size=ffn_size,
        text_size=text_size,
        in_channels=in_channels,
        out_channels=out_rows // (frames * rows * columns),
        patch_size=(frames, rows, columns),
        freq_size=freq_size,
        text_norm="blocks.0.norm3.weight" in shapes,
        image_size=None if image is None else image[0],
        image_tokens=None if positions is None else positions[1],
    )
