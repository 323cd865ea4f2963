"""Named configurations: the published Wan models, and the ones trained by this repository."""

from __future__ import annotations

from worldloom.dit.config import TransformerConfig


def wan21_1_3b() -> TransformerConfig:
    """Wan 2.1 text to video, 1.3 billion parameters."""
    return TransformerConfig(hidden_size=1536, num_heads=12, depth=30, ffn_size=8960, text_size=4096)


def wan21_14b() -> TransformerConfig:
    """Wan 2.1 text to video, 14 billion parameters."""
    return TransformerConfig(hidden_size=5120, num_heads=40, depth=40, ffn_size=13824, text_size=4096)


def wan21_i2v_14b() -> TransformerConfig:
    """Wan 2.1 image to video: noise, mask and reference latents are stacked (16 + 4 + 16 channels), CLIP features
    of the picture enter by a second cross-attention."""
    return TransformerConfig(
        hidden_size=5120,
        num_heads=40,
        depth=40,
        ffn_size=13824,
        text_size=4096,
        in_channels=36,
        image_size=1280,
    )


def wan22_5b() -> TransformerConfig:
    """Wan 2.2 text and image to video: one model, per-token timesteps, 48-channel latents at 4x16x16."""
    return TransformerConfig(
        hidden_size=3072,
        num_heads=24,
        depth=30,
        ffn_size=14336,
        text_size=4096,
        in_channels=48,
        out_channels=48,
    )


def wan22_a14b_t2v() -> TransformerConfig:
    """Wan 2.2 text to video: each of the two experts has this shape."""
    return wan21_14b()


def wan22_a14b_i2v() -> TransformerConfig:
    """Wan 2.2 image to video, each of two experts: stacked reference latents, no CLIP branch."""
    return TransformerConfig(
        hidden_size=5120, num_heads=40, depth=40, ffn_size=13824, text_size=4096, in_channels=36
    )


def tiny() -> TransformerConfig:
    """The model in the package: latents at 4x8x8, trained on rendered worlds on a CPU.

    Its longest caption has 92 tokens: with 512 rows, padding would hold 97 % of an untrained word's attention.
    """
    return TransformerConfig(
        hidden_size=384, num_heads=6, depth=6, ffn_size=1536, text_size=256, text_length=96
    )


def debug() -> TransformerConfig:
    """Small enough to train a few steps in a test."""
    return TransformerConfig(hidden_size=48, num_heads=2, depth=2, ffn_size=96, text_size=32, freq_size=32)
