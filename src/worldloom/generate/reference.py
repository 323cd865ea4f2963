"""Known frames as image-to-video checkpoints see them: channels stacked under the noise, and pictures for CLIP."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.generate.conform import Frames, to_video


class Reference(NamedTuple):
    """What such a checkpoint is shown beside the noise.

    `video` [1, 3, F, H, W] in [-1, 1] is grey where nothing is known, `known` bool [F] says where something is.
    """

    video: Tensor
    known: Tensor

    def mask(self, stride: int) -> Tensor:
        """Return, for every latent frame, which of its frames are known: [1, stride, f, 1, 1].

        The first latent frame stands for one picture, which counts `stride` times.
        """
        spread = torch.cat([self.known[:1].repeat(stride), self.known[1:]])
        return spread.view(-1, stride).t()[None, :, :, None, None]

    def pictures(self, count: int) -> Tensor:
        """Return the first known frame, and the last where two are wanted, [count, 3, H, W]."""
        places = self.known.nonzero().flatten()[[0, -1][:count]]
        return self.video[0, :, places].transpose(0, 1)


def refer(before: Frames, after: Frames, num_frames: int, device: torch.device) -> Reference:
    """Return the reference for a canvas of `num_frames` that begins with `before` and ends with `after`.

    Raises UsageError when neither holds a frame: such checkpoints only go on from pictures.
    """
    if not len(before) and not len(after):
        raise UsageError("this model goes on from a picture and cannot begin without one; give --image")
    given = before if len(before) else after
    video = torch.zeros(1, 3, num_frames, *given.shape[1:3], device=device)
    known = torch.zeros(num_frames, dtype=torch.bool, device=device)
    for frames, place in (
        (before, slice(0, len(before))),
        (after, slice(num_frames - len(after), num_frames)),
    ):
        if len(frames):
            video[:, :, place], known[place] = to_video(frames, device), True
    return Reference(video, known)
