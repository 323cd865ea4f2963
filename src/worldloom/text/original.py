"""The text and picture encoders under the names of Wan's original release, and the sizes that their shapes betray."""

from __future__ import annotations

import re
from collections.abc import Mapping

from worldloom.core.error import UsageError
from worldloom.text.encoder import TextEncoderConfig
from worldloom.text.image_encoder import ImageEncoderConfig

TEXT_MARK = "blocks.0.pos_embedding.embedding.weight"  # names that only these encoders have
IMAGE_MARK = "visual.cls_embedding"
IMAGE_PREFIX = "visual."
HEAD_SIZE = 80  # channels per head of the published picture encoder; shapes do not tell it
TEXT_RENAMED = (
    (r"^shared\.", "token_embedding."),
    (r"^encoder\.final_layer_norm\.", "norm."),
    (r"^encoder\.block\.", "blocks."),
    (r"\.layer\.0\.SelfAttention\.relative_attention_bias\.", ".pos_embedding.embedding."),
    (r"\.layer\.0\.SelfAttention\.", ".attn."),
    (r"\.layer\.0\.layer_norm\.", ".norm1."),
    (r"\.layer\.1\.layer_norm\.", ".norm2."),
    (r"\.layer\.1\.DenseReluDense\.wi_0\.", ".ffn.gate.0."),
    (r"\.layer\.1\.DenseReluDense\.wi_1\.", ".ffn.fc1."),
    (r"\.layer\.1\.DenseReluDense\.wo\.", ".ffn.fc2."),
)
IMAGE_RENAMED = (
    (r"^vision_model\.embeddings\.class_embedding$", "visual.cls_embedding"),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.pos_embedding"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual.patch_embedding."),
    (r"^vision_model\.pre_layrnorm\.", "visual.pre_norm."),
    (r"^vision_model\.post_layernorm\.", "visual.post_norm."),
    (r"^vision_model\.encoder\.layers\.", "visual.transformer."),
    (r"\.layer_norm([12])\.", r".norm\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.self_attn\.[qkv]_proj\.", ".attn.to_qkv."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.2."),
)


def text_original_name(name: str) -> str:
    """Return what the original release calls a parameter of transformers' UMT5 encoder."""
    for pattern, replacement in TEXT_RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def image_original_name(name: str) -> tuple[str, int, int]:
    """Return where the original release keeps a parameter of transformers' CLIP picture encoder.

    The name there, which part of that tensor it is, and of how many: queries, keys and values are one tensor there.
    """
    part = re.search(r"\.self_attn\.([qkv])_proj\.", name)
    for pattern, replacement in IMAGE_RENAMED:
        name = re.sub(pattern, replacement, name)
    return (name, 0, 1) if part is None else (name, "qkv".index(part[1]), 3)


def text_config_from_original(shapes: Mapping[str, tuple[int, ...]]) -> TextEncoderConfig:
    """Return the sizes of a UMT5 encoder whose tensors have these original names and shapes."""
    try:
        vocab_size, d_model = shapes["token_embedding.weight"]
        buckets, num_heads = shapes[TEXT_MARK]
        inner, d_ff = shapes["blocks.0.attn.q.weight"][0], shapes["blocks.0.ffn.fc1.weight"][0]
    except KeyError as error:
        raise UsageError(f"not a whole text encoder in the original release's names: no {error}") from error
    return TextEncoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        d_kv=inner // num_heads,
        d_ff=d_ff,
        num_layers=len({name.split(".")[1] for name in shapes if name.startswith("blocks.")}),
        num_heads=num_heads,
        relative_attention_num_buckets=buckets,
    )


def image_config_from_original(shapes: Mapping[str, tuple[int, ...]]) -> ImageEncoderConfig:
    """Return the sizes of a picture encoder whose tensors have these original names and shapes."""
    try:
        hidden_size, _, patch_size, _ = shapes["visual.patch_embedding.weight"]
        places = shapes["visual.pos_embedding"][-2]
        inner = shapes["visual.transformer.0.mlp.0.weight"][0]
    except KeyError as error:
        raise UsageError(
            f"not a whole picture encoder in the original release's names: no {error}"
        ) from error
    return ImageEncoderConfig(
        hidden_size=hidden_size,
        intermediate_size=inner,
        num_hidden_layers=len(
            {name.split(".")[2] for name in shapes if name.startswith("visual.transformer.")}
        ),
        num_attention_heads=max(1, hidden_size // HEAD_SIZE),
        image_size=patch_size * round((places - 1) ** 0.5),
        patch_size=patch_size,
    )
