"""Named sizes of the text encoder. `vocab_size` is the tokenizer's own, see `Tokenizer.vocab_size`."""

from worldloom.text.encoder import TextEncoderConfig


def debug(vocab_size: int) -> TextEncoderConfig:
    """Two layers of width 32: for tests."""
    return TextEncoderConfig(vocab_size=vocab_size, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)


def tiny(vocab_size: int) -> TextEncoderConfig:
    """The encoder of the `tiny` model: 3.3 M parameters in four layers, 1 M more in a table of 4,096 pieces."""
    return TextEncoderConfig(vocab_size=vocab_size, d_model=256, d_kv=64, d_ff=768, num_layers=4, num_heads=4)


def umt5_xxl() -> TextEncoderConfig:
    """google/umt5-xxl, which Wan 2.1 and 2.2 use (`text_encoder/config.json` of their diffusers folders)."""
    return TextEncoderConfig(
        vocab_size=256384, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64
    )
