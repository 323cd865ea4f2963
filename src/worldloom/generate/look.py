"""Long footage keeps the look of its opening.

Canvases are painted one after the other, each from the end of the one before, and what a model does a little wrong each
time adds up: it sharpens again what it sharpened before, and every canvas is a shade darker than the last. So the
latents of later canvases are held to the statistics of the first one's: their mean is drawn towards it, and neither
their large forms nor their detail may vary more than they did there. What that leaves of drift is seen in the frames:
where they have less or more contrast or sharpness than the opening, the next canvas gets more or less of its form or
detail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.generate.conform import Frames

# Side in cells of the square whose mean is large form; what is left of a cell is detail.
FORM = 3
# Share of the way back to the opening's mean that each canvas is drawn: at once would freeze a sunset.
PULL = 0.25
# Four-step sampling, clips of 24 s, last four seconds over the first four, 2 takes (2026-11): without this, sharpness
# 2.2 and 1.2; with detail held 1.1 and 1.0.


# Shares of what is missing (logarithms) that one canvas gets at once, and that are summed; the most of both.
AT_ONCE, SUMMED, MOST = 0.5, 0.1, 0.14
LUMA = np.array([0.299, 0.587, 0.114])  # BT.601


@dataclass(frozen=True)
class Look:
    """Statistics of latents [1, C, f, h, w] over all cells, [1, C, 1, 1, 1]: mean, deviation of form and of detail.

    What is held to it gets `more_form` and `more_detail` times what it would be left of them.
    """

    mean: Tensor
    form: Tensor
    detail: Tensor
    more_form: float = 1.0
    more_detail: float = 1.0

    def hold(self, latents: Tensor, new: Tensor) -> Tensor:
        """Return latents whose `new` frames, bool [f], vary no more than this look allows, around a mean nearer to it."""
        if not bool(new.any()):
            return latents
        now, (form, detail) = look_of(latents[:, :, new]), _split(latents)
        form = (
            now.mean
            + (form - now.mean) * _gain(self.form, now.form) * self.more_form
            + PULL * (self.mean - now.mean)
        )
        held = form + detail * _gain(self.detail, now.detail) * self.more_detail
        return torch.where(new[:, None, None], held, latents)


@dataclass
class Regulator:
    """How much more or less of something the next canvas gets so that footage keeps it: proportional-integral control.

    A model that makes each canvas g times sharper than the one before would be balanced by the proportional part
    alone where footage is g times too sharp, and more; what is summed over canvases takes the rest away.
    """

    wanted: float
    owed: float = 0.0

    def after(self, now: float) -> float:
        """Return the factor for the canvas that follows frames measured as `now`; once for every canvas, in turn."""
        missing = math.log(self.wanted / now) if self.wanted and now else 0.0
        self.owed = min(max(self.owed + SUMMED * missing, -MOST), MOST)
        # The whole of what is missing at once overshoots: canvases 1.2 times too sharp and 1.1 too soft took turns.
        return math.exp(min(max(AT_ONCE * missing + self.owed, -MOST), MOST))


def look_of(latents: Tensor) -> Look:
    """Return the look of latents [1, C, f, h, w]."""
    form, detail = _split(latents)
    axes = (0, 2, 3, 4)
    mean = form.mean(axes, keepdim=True)
    return Look(
        mean,
        (form - mean).square().mean(axes, keepdim=True).sqrt(),
        detail.square().mean(axes, keepdim=True).sqrt(),
    )


def sharpness_of(frames: Frames) -> float:
    """Return the mean absolute Laplacian of the luma of uint8 [F, H, W, 3], at least 3 x 3 pixels, in levels of 255."""
    total = 0.0
    for frame in frames:
        luma = frame @ LUMA
        edges = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
        total += float(np.abs(edges).mean())
    return total / len(frames)


def contrast_of(frames: Frames) -> float:
    """Return the mean deviation of the luma within a frame of uint8 [F, H, W, 3], in levels of 255."""
    return float(np.mean([(frame @ LUMA).std() for frame in frames]))


def _split(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return form and detail, which add up to the latents."""
    frames = latents[0].transpose(0, 1)
    form = F.avg_pool2d(frames, FORM, stride=1, padding=FORM // 2, count_include_pad=False)
    form = form.transpose(0, 1)[None]
    return form, latents - form


def _gain(wanted: Tensor, now: Tensor) -> Tensor:
    return (wanted / now.clamp_min(1e-6)).clamp(max=1.0)
