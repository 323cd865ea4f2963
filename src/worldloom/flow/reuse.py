"""Steps whose velocity is told from the last ones instead of being computed: near-exact, and quicker by what is skipped.

Along most of a sampler's way the velocity changes slowly and almost in a straight line. How much it changes for a
given change of its input hardly varies from step to step (EasyCache, arXiv 2507.02860), so the coming change can be
told before the model runs. Where the changes since the last evaluation add up to less than a threshold, the velocity
is continued on the line through the last two evaluations.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from worldloom.flow.sampler import Denoiser

# The first evaluations of a run are always made: the scene is laid out there, and the rate of change is measured.
LEAST_EVALUATIONS = 3
# A line is continued at most so many times (and a rounding error) as far as its two points lie apart.
LONGEST_REACH = 2.001


class Reused(NamedTuple):
    """What a run has saved: velocities asked for, those computed, and the estimated ratio of latents to error in dB."""

    calls: int
    evaluations: int
    decibels: float


class _Evaluation(NamedTuple):
    """What the model was asked and what it answered; `level` is the mean noise level."""

    noisy: Tensor
    level: float
    velocity: Tensor


class StepReuse:
    """A denoiser that answers for another one, and asks it only where its answer would be news.

    threshold: how far the velocity may have moved since the last evaluation, as a share of its length; 0 asks every
    time, 0.1 halves the evaluations of 30 steps. Above it, or where the level does not fall, the denoiser is asked.
    boundary: a mean level at which the denoiser is another (two experts); nothing is carried across.

    One object serves one run of a sampler. Deciding waits for the device once a step.
    """

    def __init__(self, denoiser: Denoiser, threshold: float, boundary: float = 0.0) -> None:
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold is {threshold}; it must be at least 0 and less than 1")
        self.denoiser, self.threshold, self.boundary = denoiser, threshold, boundary
        self.calls = self.evaluations = 0
        self._known: list[_Evaluation] = []  # the last two
        self._rate: float | None = None  # change of the velocity over change of the input
        self._moved = 0.0
        self._last: tuple[Tensor, Tensor] | None = None  # input and answer of the last call
        self._skipped = 0.0  # noise levels travelled since the last evaluation on velocities not computed
        self._drift = 0.0  # estimated root mean square error of the latents

    def __call__(self, noisy: Tensor, t: Tensor) -> Tensor:
        """Return the velocity at `t`, computed or continued."""
        self.calls += 1
        level = float(t.mean())
        if self._known and (self._known[-1].level >= self.boundary) != (level >= self.boundary):
            self._known, self._rate, self._last = [], None, None
        if self._may_skip(noisy, level):
            answer = self._continued(level)
            self._skipped += self._known[-1].level - level
        else:
            answer = self._evaluated(noisy, t, level)
        self._last = noisy, answer
        return answer

    def summary(self) -> Reused:
        """Return what was saved so far, and how far the latents may be from those of a run that asks every time.

        Wherever the model is asked after skipped steps, what would have been continued is compared with what it
        answers; the differences are added up over the levels travelled.
        """
        decibels = math.inf if self._drift == 0 else -20 * math.log10(self._drift)
        return Reused(self.calls, self.evaluations, decibels)

    def _may_skip(self, noisy: Tensor, level: float) -> bool:
        if len(self._known) < 2 or self.evaluations < LEAST_EVALUATIONS or self._last is None:
            return False
        if self._rate is None or level >= self._known[-1].level:
            return False
        first, second = self._known
        if second.level - level > LONGEST_REACH * (first.level - second.level):
            return False
        before, answer = self._last
        if (length := _length(answer)) == 0:
            return False
        self._moved += self._rate * _length(noisy - before) / length
        return self._moved < self.threshold

    def _continued(self, level: float) -> Tensor:
        """Return the velocity at `level` on the line through the last two evaluations."""
        first, second = self._known
        return torch.lerp(
            first.velocity, second.velocity, (level - first.level) / (second.level - first.level)
        )

    def _evaluated(self, noisy: Tensor, t: Tensor, level: float) -> Tensor:
        velocity = self.denoiser(noisy, t)
        self.evaluations += 1
        if self._known:
            last = self._known[-1]
            change = _length(noisy - last.noisy)
            self._rate = _length(velocity - last.velocity) / change if change > 0 else None
            if self._skipped > 0:
                error = _length(velocity - self._continued(level)) / velocity.numel() ** 0.5
                self._drift += self._skipped * error / 2  # on average: it grows from nothing to this
        if self._known and level >= self._known[-1].level:
            self._known.pop()  # asked again at the same level, as the second half of a Heun step is
        self._known = [*self._known[-1:], _Evaluation(noisy, level, velocity)]
        self._moved = self._skipped = 0.0
        return velocity


def _length(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x, dtype=torch.float32))
