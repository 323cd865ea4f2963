"""Step reuse against runs that compute every step."""

import math

import pytest
import torch

from worldloom.flow.reuse import StepReuse
from worldloom.flow.sampler import euler, heun, unipc
from worldloom.flow.schedule import shifted_sigmas

SPREAD = 0.5


def gaussian(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The exact velocity where data is N(0, SPREAD^2)."""
    return x * (t - (1 - t) * SPREAD**2) / ((1 - t) ** 2 * SPREAD**2 + t**2)


def noise() -> torch.Tensor:
    return torch.randn(1, 4, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def decibels(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return -10 * math.log10(float((actual - expected).square().mean() / expected.square().mean()) + 1e-20)


@pytest.mark.parametrize("sampler", [euler, unipc])
def test_half_the_steps_are_told_from_the_others(sampler):
    sigmas = shifted_sigmas(40, 3.0)
    reuse = StepReuse(gaussian, 0.1)
    error = decibels(sampler(reuse, noise(), sigmas), sampler(gaussian, noise(), sigmas))
    told = reuse.summary()
    assert told.calls == 40 and told.evaluations <= 22
    assert error > 32
    assert abs(told.decibels - error) < 12


def test_a_larger_threshold_saves_more_and_is_said_to_cost_more():
    runs = []
    for threshold in (0.05, 0.1, 0.2):
        reuse = StepReuse(gaussian, threshold)
        unipc(reuse, noise(), shifted_sigmas(50, 3.0))
        runs.append(reuse.summary())
    assert runs[0].evaluations > runs[1].evaluations > runs[2].evaluations
    assert runs[0].decibels > runs[1].decibels > runs[2].decibels


def test_threshold_zero_computes_every_step():
    reuse = StepReuse(gaussian, 0.0)
    sigmas = shifted_sigmas(12, 3.0)
    assert torch.equal(unipc(reuse, noise(), sigmas), unipc(gaussian, noise(), sigmas))
    assert reuse.summary() == (12, 12, math.inf)


def test_a_velocity_that_turns_is_asked_for():
    """Reuse stops where the velocity changes quickly, however smooth it was before."""

    def turns(x, t):
        return x.clone() if t > 0.5 else -3 * x.roll(1, -1)

    asked = []
    reuse = StepReuse(lambda x, t: asked.append(float(t)) or turns(x, t), 0.2)
    euler(reuse, noise(), torch.linspace(1, 0, 41))
    gaps = torch.tensor(asked).diff().abs()
    assert gaps.max() > 0.05  # steps of 1/40 were skipped
    after = [t for t in asked if t <= 0.5]
    assert after[0] >= 0.35 and len(after) >= 2


def test_nothing_is_carried_from_one_expert_to_the_next():
    asked = []
    reuse = StepReuse(lambda x, t: asked.append(float(t)) or gaussian(x, t), 0.3, boundary=0.5)
    sigmas = torch.linspace(1, 0, 41)
    euler(reuse, noise(), sigmas)
    below = [float(sigma) for sigma in sigmas if sigma < 0.5]
    assert below[0] in asked and below[1] in asked


def test_works_with_a_level_for_every_cell_and_with_two_evaluations_a_step():
    start = torch.ones(3, 4, 4)
    start[0] = 0
    sigmas = shifted_sigmas(40, 3.0)[:, None, None, None, None, None] * start
    reuse = StepReuse(lambda x, t: gaussian(x, t.clamp(min=0.01)), 0.1)
    x = unipc(reuse, noise(), sigmas)
    assert torch.equal(x[:, :, 0], noise()[:, :, 0]) and reuse.summary().evaluations < 30
    twice = StepReuse(gaussian, 0.1)
    expected = heun(gaussian, noise(), shifted_sigmas(20, 3.0))
    assert decibels(heun(twice, noise(), shifted_sigmas(20, 3.0)), expected) > 30


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_impossible_thresholds_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold is"):
        StepReuse(gaussian, threshold)
