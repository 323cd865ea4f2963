"""The shape of a transformer."""

from __future__ import annotations

from dataclasses import dataclass

from worldloom.core.error import UsageError


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of a `Transformer`.

    `text_size` and `image_size` are the widths of the encoders' features (no picture branch without the latter;
    `image_tokens` gives that branch learned positions); `text_length` is the number of rows to which prompts are
    thought padded; `action_size` adds an embedding of one action vector per latent frame.
    """

    hidden_size: int
    num_heads: int
    depth: int
    ffn_size: int
    text_size: int
    in_channels: int = 16
    out_channels: int = 16
    patch_size: tuple[int, int, int] = (1, 2, 2)
    freq_size: int = 256
    text_length: int = 512
    eps: float = 1e-6
    text_norm: bool = True
    image_size: int | None = None
    image_tokens: int | None = None
    action_size: int | None = None

    def __post_init__(self) -> None:
        if self.hidden_size % (2 * self.num_heads):
            raise UsageError(
                f"hidden_size {self.hidden_size} is no multiple of 2 x num_heads {self.num_heads}"
            )
        if self.freq_size % 2:
            raise UsageError(f"freq_size {self.freq_size} is odd; sine and cosine need an even one")

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_heads
