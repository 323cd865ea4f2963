"""Samplers against exact solutions, against diffusers, and in what they must leave alone."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import UniPCMultistepScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from worldloom.flow.path import interpolate, velocity
from worldloom.flow.sampler import euler, heun, unipc
from worldloom.flow.schedule import shifted_sigmas
from worldloom.flow.timestep import whole_timestep

SAMPLERS = [euler, heun, unipc]
GRID = (4, 2, 3)


def curved(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A velocity field with nothing special about it."""
    return torch.tanh(x.roll(1, -1) + 0.5 * x.roll(1, 1)) * (1 + t) - x * t


def noise(seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, 3, *GRID, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def per_cell(sigmas: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    return sigmas[:, None, None, None, None, None] * start


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_straight_flow_is_solved_exactly(sampler, num_steps):
    clean, start = noise(1), noise(2)
    result = sampler(lambda x, t: velocity(clean, start), start, shifted_sigmas(num_steps, 3.0))
    torch.testing.assert_close(result, clean, atol=2e-5, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_starting_from_noised_content_recovers_it(sampler):
    clean, start = noise(1), noise(2)
    levels = torch.rand(GRID, generator=torch.Generator().manual_seed(3))
    noisy = interpolate(clean, start, levels)
    result = sampler(lambda x, t: velocity(clean, start), noisy, per_cell(shifted_sigmas(4, 3.0), levels))
    torch.testing.assert_close(result, clean, atol=2e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    sampler=st.sampled_from(SAMPLERS),
    num_steps=st.integers(1, 6),
    known=st.lists(st.booleans(), min_size=math.prod(GRID), max_size=math.prod(GRID)),
    hostile=st.sampled_from([0.0, float("nan"), float("inf")]),
)
def test_known_cells_stay_to_the_bit(sampler, num_steps, known, hostile):
    mask = torch.tensor(known).view(GRID)
    start = noise()
    start[..., 0, 0] = -0.0  # even the sign of zero
    sigmas = per_cell(shifted_sigmas(num_steps, 3.0), (~mask).float())

    def denoiser(x, t):
        """Whatever it says about known cells must not matter."""
        return torch.where(mask, hostile, x.tanh())

    result = sampler(denoiser, start, sigmas)
    assert torch.equal(result[..., mask].view(torch.int32), start[..., mask].view(torch.int32))
    assert torch.isfinite(result).all()
    assert not mask.all() or torch.equal(result, start)
    if not mask.any():
        torch.testing.assert_close(result, sampler(denoiser, start, shifted_sigmas(num_steps, 3.0)))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_known_cells_do_not_change_the_others_steps(sampler):
    def by_cell(x, t):
        return x.tanh() * (1 + t)

    sigmas, start = shifted_sigmas(6, 3.0), noise()
    unknown = torch.ones(GRID)
    unknown[0] = 0
    mixed = sampler(by_cell, start, per_cell(sigmas, unknown))
    whole = sampler(by_cell, start, sigmas)
    torch.testing.assert_close(mixed[:, :, 1:], whole[:, :, 1:])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_rolling_window_gives_each_frame_its_own_whole_schedule(sampler):
    """Frame k starts k steps later; where cells do not see each other, each must come out as if alone."""

    def by_cell(x, t):
        return x.tanh() * (1 + t)

    schedule, start = shifted_sigmas(5, 3.0), noise()
    frames, steps = GRID[0], len(schedule) - 1
    rolling = torch.stack(
        [schedule[(step - torch.arange(frames)).clamp(0, steps)] for step in range(steps + frames)]
    )
    result = sampler(by_cell, start, rolling[:, None, None, :, None, None])
    torch.testing.assert_close(result, sampler(by_cell, start, schedule), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2), (unipc, 2)])
def test_order_of_convergence(sampler, order):
    """Data ~ N(0, s^2) has velocity x (t - (1 - t) s^2) / var(t), which carries x from 1 to x * s."""
    spread = 0.5

    def gaussian(x, t):
        return x * (t - (1 - t) * spread**2) / ((1 - t) ** 2 * spread**2 + t**2)

    start = torch.ones(1, 1, 1, 1, 1, dtype=torch.double)
    errors = []
    for num_steps in (20, 40, 80):
        # from 0.9, where the log-SNR that UniPC steps in is smooth
        sigmas = torch.linspace(0.9, 0, num_steps + 1, dtype=torch.double)
        at_start = (0.1**2 * spread**2 + 0.9**2) ** 0.5
        errors.append(abs(sampler(gaussian, start, sigmas).item() - spread / at_start))
    measured = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert all(rate > order - 0.25 for rate in measured), (measured, errors)


@pytest.mark.parametrize(("num_steps", "shift"), [(1, 1.0), (2, 3.0), (5, 3.0), (20, 5.0), (50, 8.0)])
def test_unipc_equals_diffusers(num_steps, shift):
    reference = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift
    )
    reference.set_timesteps(num_steps)
    expected = noise()
    asked = []
    for step, timestep in enumerate(reference.timesteps):
        output = curved(expected, reference.sigmas[step])
        expected = reference.step(output, timestep, expected).prev_sample

    def denoiser(x, t):
        asked.append(whole_timestep(t))
        return curved(x, t)

    actual = unipc(denoiser, noise(), shifted_sigmas(num_steps, shift))
    assert (actual - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (torch.stack(asked) * 1000).round().int().tolist() == reference.timesteps.tolist()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_level_per_cell_equals_one_for_all(sampler):
    sigmas = shifted_sigmas(5, 3.0)
    torch.testing.assert_close(
        sampler(curved, noise(), per_cell(sigmas, torch.ones(GRID))), sampler(curved, noise(), sigmas)
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_reports_every_step_with_the_clean_estimate(sampler):
    clean, start, seen = noise(1), noise(2), []
    sampler(
        lambda x, t: velocity(clean, start), start, shifted_sigmas(3), lambda *report: seen.append(report)
    )
    assert [step for step, _ in seen] == [1, 2, 3]
    for _, estimate in seen:
        torch.testing.assert_close(estimate, clean, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("sampler", "evaluations"), [(euler, 6), (heun, 11), (unipc, 6)])
def test_number_of_evaluations(sampler, evaluations):
    calls = []
    sampler(lambda x, t: calls.append(t) or x, noise(), shifted_sigmas(6))
    assert len(calls) == evaluations and all(t > 0 for t in calls)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("sigmas", [[0.5], [0.2, 0.4, 0.0], [1.5, 0.0], [1.0, -0.1]])
def test_impossible_schedules_are_refused(sampler, sigmas):
    with pytest.raises(ValueError, match="sigmas"):
        sampler(curved, noise(), torch.tensor(sigmas))
