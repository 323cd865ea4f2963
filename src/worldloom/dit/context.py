"""What the blocks attend to besides the video: keys and values of a prompt, computed once for all steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Pair = tuple[Tensor, Tensor]

# Rows of a prompt come in multiples of this: fused attention over 48 keys takes 0.42 ms where 40 take 0.76 and 63 take
# 1.01 (bf16, 2 x 6 heads x 320 queries x 64 channels, one core with AMX; fp32 0.64, 0.90 and 1.27).
ALIGNED = 16


@dataclass(frozen=True)
class TextContext:
    """Keys and values [B, A, L, K] of each block, for words and, where the model has that branch, for a picture.

    `bias` is added to the attention scores of the words: 0 for a word, -inf for a row that is not there, the
    logarithm of the number of padding rows for the one that stands for them all.
    """

    text: tuple[Pair, ...]
    bias: Float[Tensor, "B 1 1 L"]
    image: tuple[Pair, ...] | None = None

    @property
    def batch(self) -> int:
        return self.bias.shape[0]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> TextContext:
        """Return the context on another device or in another dtype."""
        return self._map(lambda x: x.to(device=device, dtype=dtype))

    def expand(self, batch: int) -> TextContext:
        """Return the context of one prompt for `batch` samples, without copying it."""
        if self.batch != 1:
            raise ValueError(f"only the context of one prompt can be expanded, this one has {self.batch}")
        return self._map(lambda x: x.expand(batch, -1, -1, -1))

    def first(self) -> TextContext:
        """Return the context of the first prompt alone, without copying it."""
        return self._map(lambda x: x[:1])

    @staticmethod
    def cat(contexts: Sequence[TextContext]) -> TextContext:
        """Join contexts along the batch, as guidance does with prompt and negative prompt."""
        if len({context.image is None for context in contexts}) > 1:
            raise ValueError("contexts with and without a picture cannot be joined")
        longest = max(context.bias.shape[-1] for context in contexts)
        padded = [context._padded(longest) for context in contexts]
        return TextContext(
            text=_cat_pairs([context.text for context in padded]),
            bias=torch.cat([context.bias for context in padded]),
            image=None
            if padded[0].image is None
            else _cat_pairs([context.image or () for context in padded]),
        )

    def _padded(self, length: int) -> TextContext:
        missing = length - self.bias.shape[-1]
        if missing == 0:
            return self
        text = tuple((F.pad(k, (0, 0, 0, missing)), F.pad(v, (0, 0, 0, missing))) for k, v in self.text)
        return TextContext(text, F.pad(self.bias, (0, missing), value=float("-inf")), self.image)

    def _map(self, change: Callable[[Tensor], Tensor]) -> TextContext:
        image = None if self.image is None else tuple((change(k), change(v)) for k, v in self.image)
        return TextContext(tuple((change(k), change(v)) for k, v in self.text), change(self.bias), image)


def _cat_pairs(contexts: Sequence[tuple[Pair, ...]]) -> tuple[Pair, ...]:
    return tuple(
        (torch.cat([key for key, _ in pairs]), torch.cat([value for _, value in pairs]))
        for pairs in zip(*contexts, strict=True)
    )


def prompt_rows(words: int) -> int:
    """Return how many rows a prompt of so many words takes: one for all padding, and none but whole blocks of rows."""
    return -(-(words + 1) // ALIGNED) * ALIGNED


def collapse_padding(
    text_embeds: Float[Tensor, "B L S"], lengths: Int[Tensor, " B"] | None, text_length: int
) -> tuple[Float[Tensor, "B M S"], Float[Tensor, "B 1 1 M"]]:
    """Return text rows with all zero padding as one last row, and the bias that makes attention the same.

    Wan pads a prompt with zero vectors to `text_length` rows and attends to all of them. n equal rows with score
    s weigh n exp(s) = exp(s + log n): one such row with bias log n gives the same attention, exactly, at 1/20 of
    the keys. Rows past a sample's length are ignored whatever they hold, and so are those that fill up to a multiple
    of `ALIGNED` rows.
    """
    batch, rows, _ = text_embeds.shape
    if lengths is None:
        lengths = torch.full((batch,), rows, device=text_embeds.device)
    lengths = lengths.to(text_embeds.device)
    longest = int(lengths.max())
    if longest > min(rows, text_length) or int(lengths.min()) < 0:
        raise ValueError(f"text lengths {lengths.tolist()} are not all within 0..{min(rows, text_length)}")
    aligned = prompt_rows(longest)
    embeds = F.pad(text_embeds[:, :longest], (0, 0, 0, aligned - longest))
    absent = torch.arange(aligned, device=lengths.device) >= lengths[:, None]
    bias = torch.zeros(absent.shape, device=lengths.device).masked_fill(absent, float("-inf"))
    bias[:, longest] = (text_length - lengths).float().log()
    return embeds, bias[:, None, None, :]
