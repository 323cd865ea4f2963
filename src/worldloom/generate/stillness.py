"""What stands still in given frames stands still in the new ones.

A model paints a floor that has been shown to it almost as it was, and almost is a jump where new frames meet given
ones. But the code of four frames in which nothing moves is the same from latent frame to latent frame, so where given
frames stood still, and the estimate of a new token comes near what they show at its place, it is that which is meant.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.flow.path import clean_from
from worldloom.generate.canvas import Canvas

DECIDED = 0.8
"""Noise level from which on something is drawn: above, an estimate is a mean over things that may yet come or not.

From pure noise on, what moves is lost: errors where something moves are 61.9 levels of 255 (root of the mean square)
for 59.8, and 60.2 with nothing drawn; where all stands still 7.1, 8.2 and 9.0 (13 takes, 17 frames given, 16 new,
four steps, 2026-11).
"""


class Stillness:
    """A denoiser (noisy [1, C, f, h, w], t) -> velocity, whose clean estimates are drawn to given latents like them.

    Each new latent frame looks at the nearest given one before and after it. An estimate is drawn to the given token at
    its place by exp(-d^2 / 2 tolerance^2), d their mean absolute difference over the token in deviations of the latents,
    times the same of the given token and its given neighbour in time: nothing is drawn to what moved, nor to a single
    latent frame, of which nobody knows. The packaged model's tokens differ by 0.04 to 0.11 from latent frame to latent
    frame where nothing moves and by 0.36 to 0.8 where something does (13 takes). The first latent frame of a canvas,
    which stands for one picture and is coded in another way, neither gives nor takes.
    """

    def __init__(
        self,
        denoiser: Callable[[Tensor, Tensor], Tensor],
        canvas: Canvas,
        tolerance: float,
        patch: tuple[int, int, int],
    ) -> None:
        self.denoiser, self.tolerance, self.patch = denoiser, tolerance, patch
        given = canvas.known.flatten(1).all(dim=1).tolist()
        sources = {
            frame: neighbour
            for frame in range(1, len(given))
            for neighbour in (frame - 1, frame + 1)
            if given[frame] and 1 <= neighbour < len(given) and given[neighbour]
        }
        self.new = [frame for frame in range(1, len(given)) if not given[frame]] if sources else []
        if not self.new:
            return
        before = [max((s for s in sources if s < frame), default=min(sources)) for frame in self.new]
        after = [min((s for s in sources if s > frame), default=max(sources)) for frame in self.new]
        # [2, C, n, h, w]: the given latent frames before and after each new one, or twice the only one
        self.given = torch.cat([canvas.latents[:, :, places] for places in (before, after)])
        beside = [[sources[place] for place in places] for places in (before, after)]
        self.stood = self._likeness(self.given - torch.cat([canvas.latents[:, :, b] for b in beside]))

    def __call__(self, noisy: Tensor, t: Tensor) -> Tensor:
        velocity = self.denoiser(noisy, t)
        if not self.new or bool(t.amax() > DECIDED):
            return velocity
        clean = clean_from(noisy, velocity, t)
        gap = self.given - clean[:, :, self.new]
        likeness = self._likeness(gap) * self.stood
        share = likeness * likeness.amax(0) / likeness.sum(0).clamp_min(1e-12)
        clean[:, :, self.new] += (share * gap).sum(0, keepdim=True)
        return torch.where(t > 0, (noisy - clean) / t.clamp_min(1e-6), velocity)

    def _likeness(self, gap: Tensor) -> Tensor:
        """Return how alike tokens are between which lies `gap`, 0 to 1, for every cell, [2, 1, n, h, w]."""
        _, rows, columns = self.patch
        distance = F.avg_pool3d(gap.abs().mean(1, keepdim=True), (1, rows, columns))
        likeness = torch.exp(-((distance / self.tolerance) ** 2) / 2)
        return likeness.repeat_interleave(rows, dim=3).repeat_interleave(columns, dim=4)
