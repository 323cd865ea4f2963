"""Encoding in several passes: what the decoder got wrong is shown to the encoder once more.

An encoder of few layers says what to draw, but not exactly: its decoder draws something a little off. The difference
added to the clip makes the next pass ask for more of what was missing, which is the fixed-point iteration of van Cittert
(1931) for undoing a blur, with encoder and decoder as the blur. Weights stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def amended(shown: Tensor, video: Tensor, drawn: Tensor) -> Tensor:
    """Return what to show the encoder next for `video`, when shown `shown` it made the decoder draw `drawn`.

    All [B, 3, F, H, W] in [-1, 1], which what is shown may leave.
    """
    return shown + (video - drawn.clamp(-1, 1))


def encode_closely(
    video: Tensor, passes: int, encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return what `encode` says of `video` [B, 3, F, H, W] in the last of `passes` >= 1, with `decode` in between."""
    latents = encode(video)
    shown = video
    for _ in range(passes - 1):
        shown = amended(shown, video, decode(latents))
        latents = encode(shown)
    return latents
