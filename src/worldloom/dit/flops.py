"""How much arithmetic a pass takes, counted from the shapes: what an MFU meter divides by."""

from __future__ import annotations

import math

from worldloom.dit.config import TransformerConfig
from worldloom.dit.context import prompt_rows


def flops_per_sample(
    config: TransformerConfig, tokens: int, text_tokens: int, training: bool = True, levels: int = 1
) -> int:
    """Return the floating-point operations that one sample costs; a multiply-add counts two.

    `tokens` are video tokens, `text_tokens` the words of the prompt (rows of padding are added here), `levels`
    the distinct noise levels, for which modulation is computed. Only matrix products count. Training is three
    times the forward pass, prompt included; a sampling step uses the cached prompt and pays for none of it.
    """
    width, depth = config.hidden_size, config.depth
    words = prompt_rows(text_tokens)
    patch = math.prod(config.patch_size)
    projections = 2 * (
        6 * width * width + 2 * width * config.ffn_size
    )  # q, k, v, out; q, out of the prompt; ffn
    scores = 4 * (tokens + words) * width  # q k^T and its product with v, over video and over words
    ends = 2 * patch * (config.in_channels + config.out_channels) * width
    video = tokens * (depth * (projections + scores) + ends)
    modulation = 2 * levels * width * (config.freq_size + width + 6 * width)
    if not training:
        return video + modulation
    prompt = 2 * words * width * (config.text_size + width + depth * 2 * width)
    return 3 * (video + modulation + prompt)
