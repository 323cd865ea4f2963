"""What the autoencoder loses of given frames is put back into the new frames beside them.

Given frames stay as they are and new ones come out of the decoder, a little softer and of slightly other colours: seen
one after the other, that is a jump, however well the new ones continue. The decoder also shows how it would have drawn
the given frame next to the new ones; what it lacks there holds as well wherever the new frames still show the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.generate.conform import Frames
from worldloom.generate.dissolve import Edge

# Levels of 255 by which the decoder's frames may differ and still show the same. On 12 takes with the autoencoder alone
# (9 frames given, 8 reconstructed, 2026-11), change at the join over the median change, and PSNR of the 8: nothing
# restored 2.3x, 29.8 dB; 3 levels 1.4x, 31.6 dB; 6 levels 1.1x, 32.1 dB; 12 levels 1.1x, 32.2 dB; 25 levels 31.8 dB.
SAME = 12.0
KEPT = 0.5
"""Share of the detail of frames before that is left at the end of the new ones, where none follow.

Kept whole, it passes from canvas to canvas and each adds its own; so grain grows in long footage.
"""
AROUND = 5  # pixels along the side of the square in which they are compared


@dataclass(frozen=True)
class Neighbour:
    """A frame `picture` uint8 [H, W, 3] next to new ones, where in its canvas the decoder draws it, and the edge of given
    footage there, None where the footage is the model's own."""

    picture: np.ndarray
    place: int
    edge: Edge | None = None


def restore(
    chunks: Iterator[Frames], wanted: slice, before: Neighbour | None, after: Neighbour | None
) -> Iterator[Frames]:
    """Yield the `wanted` frames of a decoded canvas with the detail of the given frames before and after them.

    Between two neighbours the weight goes evenly from one to the other; beside one it goes from all to `KEPT`. With one
    after the frames, they are held back
    until it is decoded.
    """
    waiting: list[Frames] = []
    lacks: dict[int, _Lack] = {}
    position = 0
    for chunk in chunks:
        for neighbour in (before, after):
            if neighbour is not None and position <= neighbour.place < position + len(chunk):
                lacks[neighbour.place] = _Lack(neighbour.picture, chunk[neighbour.place - position])
        inside = chunk[max(0, wanted.start - position) : max(0, wanted.stop - position)]
        position += len(chunk)
        if len(inside):
            waiting.append(inside)
        if waiting and (after is None or after.place in lacks):
            start = min(position, wanted.stop) - sum(map(len, waiting))
            for part in waiting:
                lack_before = None if before is None else lacks[before.place]
                lack_after = None if after is None else lacks[after.place]
                yield _restored(part, start, wanted, lack_before, lack_after)
                start += len(part)
            waiting = []
        if position >= wanted.stop and not waiting:
            return
    assert not waiting, f"the canvas ended at frame {position} before {after}"


class _Lack:
    """What a decoded frame lacks of the given one."""

    def __init__(self, given: np.ndarray, decoded: np.ndarray) -> None:
        self.decoded = _planes(decoded)
        self.detail = _planes(given) - self.decoded

    def fitting(self, frame: Tensor) -> Tensor:
        """Return the detail [3, H, W] where `frame` shows what the decoded frame shows, fading where it does not."""
        change = (frame - self.decoded).square().mean(dim=0, keepdim=True)
        change = F.avg_pool2d(change[None], AROUND, stride=1, padding=AROUND // 2, count_include_pad=False)[0]
        return self.detail * torch.exp(-change / (2 * SAME**2))


def _restored(frames: Frames, start: int, wanted: slice, before: _Lack | None, after: _Lack | None) -> Frames:
    restored = np.empty_like(frames)
    steps = wanted.stop - wanted.start + 1
    for number, frame in enumerate(frames):
        planes = _planes(frame)
        toward = (start + number - wanted.start + 1) / steps
        lost = 1.0 if before and after else 1 - KEPT
        detail = torch.zeros_like(planes)
        if before:
            detail += (1 - lost * toward) * before.fitting(planes)
        if after:
            detail += (1 - lost * (1 - toward)) * after.fitting(planes)
        whole = (planes + detail).round().clamp(0, 255).to(torch.uint8)
        restored[number] = whole.permute(1, 2, 0).numpy()
    return restored


def _planes(frame: np.ndarray) -> Tensor:
    """Return a frame uint8 [H, W, 3] as float [3, H, W]."""
    return torch.from_numpy(np.array(frame)).permute(2, 0, 1).float()
