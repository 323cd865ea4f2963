"""Long footage keeps the look of its opening.

Canvases are painted one after the other, each from the end of the one before, and what a model does a little wrong each
time adds up: it sharpens again what it sharpened before, and every canvas is a shade darker than the last. So the
latents of later canvases are held to the statistics of the first one's: their mean is drawn towards it, and neither
their large forms nor their detail may vary more than they did there. What that leaves of drift is seen in the frames:
where they have become softer or sharper than the opening, the next canvas gets more or less of its detail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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


# The most that one canvas's detail is strengthened, or weakened by its inverse, for the frames before it.
STEP = 1.1
LUMA = np.array([0.299, 0.587, 0.114])  # BT.601


@dataclass(frozen=True)
class Look:
    """Statistics of latents [1, C, f, h, w] over all cells, [1, C, 1, 1, 1]: mean, deviation of form and of detail.

    What is held to it gets `strength` times the detail it would be left.
    """

    mean: Tensor
    form: Tensor
    detail: Tensor
    strength: float = 1.0

    def sharpened(self, wanted: Frames, shown: Frames) -> Look:
        """Return this look for a canvas after the frames `shown`, so that it gets nearer to the sharpness `wanted`."""
        now = sharpness_of(shown)
        # The whole ratio at once overshoots: canvases 1.2 times too sharp and 1.1 times too soft took turns.
        ratio = math.sqrt(sharpness_of(wanted) / now) if now else 1.0
        return replace(self, strength=min(max(ratio, 1 / STEP), STEP))

    def hold(self, latents: Tensor, new: Tensor) -> Tensor:
        """Return latents whose `new` frames, bool [f], vary no more than this look allows, around a mean nearer to it."""
        if not bool(new.any()):
            return latents
        now, (form, detail) = look_of(latents[:, :, new]), _split(latents)
        form = now.mean + (form - now.mean) * _gain(self.form, now.form) + PULL * (self.mean - now.mean)
        held = form + detail * _gain(self.detail, now.detail) * self.strength
        return torch.where(new[:, None, None], held, latents)


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


def _split(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return form and detail, which add up to the latents."""
    frames = latents[0].transpose(0, 1)
    form = F.avg_pool2d(frames, FORM, stride=1, padding=FORM // 2, count_include_pad=False)
    form = form.transpose(0, 1)[None]
    return form, latents - form


def _gain(wanted: Tensor, now: Tensor) -> Tensor:
    return (wanted / now.clamp_min(1e-6)).clamp(max=1.0)
