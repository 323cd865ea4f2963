"""Estimates near a given token at their place become it; others stay what they are."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from worldloom.flow.path import clean_from, interpolate, velocity
from worldloom.flow.sampler import euler
from worldloom.generate.canvas import Canvas, blank_canvas
from worldloom.generate.clip import Clip
from worldloom.generate.stillness import Stillness
from worldloom.generate.stream import Stream

PATCH, TOLERANCE = (1, 2, 2), 0.25


def canvas_of(latents: Tensor, given: list[int]) -> Canvas:
    grid = tuple(latents.shape[2:])
    canvas, start = blank_canvas(latents.shape[1], grid), torch.ones(grid)
    start[given] = 0.0
    return canvas.begin_from(latents, start)


def estimate(painted: Tensor, latents: Tensor, given: list[int], level: float) -> Tensor:
    """What is estimated of the clean latents where the model itself estimates `painted`."""
    canvas, noise = canvas_of(latents, given), torch.randn(latents.shape)
    t = torch.where(canvas.known, 0.0, level)[None, None]
    noisy = interpolate(torch.where(canvas.known, latents, painted), noise, t)
    drawn = Stillness(lambda x, _: velocity(painted, noise), canvas, TOLERANCE, PATCH)
    return clean_from(noisy, drawn(noisy, t), t)


@pytest.mark.parametrize("level", [0.1, 0.7])
@pytest.mark.parametrize("given", [[0, 1, 2], [3, 4], [0, 1, 2, 4]])
def test_what_is_near_is_drawn_and_what_is_far_stays(given: list[int], level: float) -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 6, 1, 4, 4).expand(-1, -1, 5, -1, -1).clone()
    painted = latents + 0.1
    painted[..., 2:] = latents[..., 2:] + 3  # another thing in the right half
    found = estimate(painted, latents, given, level)
    new = [frame for frame in range(1, 5) if frame not in given]
    left = 0.1 * (1 - np.exp(-(0.4**2) / 2))  # a distance of 0.1 at a tolerance of 0.25
    assert torch.allclose(found[:, :, new, :, :2], latents[:, :, new, :, :2] + left, atol=1e-4)
    assert torch.allclose(found[:, :, new, :, 2:], painted[:, :, new, :, 2:], atol=1e-4)
    assert torch.allclose(found[:, :, given], latents[:, :, given], atol=1e-4)
    if 0 not in given:
        assert torch.allclose(found[:, :, 0], painted[:, :, 0], atol=1e-4)


def test_nothing_is_drawn_to_what_moved() -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 6, 1, 4, 4).expand(-1, -1, 5, -1, -1).clone()
    latents[:, :, 2, :, 2:] += 2  # in the right half the given frames differ
    painted = latents[:, :, [2]] + 0.1
    painted = torch.where(torch.arange(5)[:, None, None] > 2, painted, latents)
    found = estimate(painted, latents, [0, 1, 2], 0.5)
    assert (found - painted)[:, :, 3:, :, :2].abs().min() > 0.05
    assert torch.allclose(found[..., 2:], painted[..., 2:], atol=1e-4)


@pytest.mark.parametrize(("given", "level"), [([0], 0.5), ([0, 1], 0.5), ([4], 0.5), ([0, 1, 2], 0.9)])
def test_nothing_is_drawn_to_a_single_latent_frame_or_before_it_is_decided(
    given: list[int], level: float
) -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 6, 1, 4, 4).expand(-1, -1, 5, -1, -1).clone()
    painted = latents + 0.01
    found = estimate(painted, latents, given, level)
    new = [frame for frame in range(5) if frame not in given]
    assert torch.allclose(found[:, :, new], painted[:, :, new], atol=1e-5)


def test_the_nearer_of_two_given_frames_is_meant() -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 6, 1, 4, 4).expand(-1, -1, 7, -1, -1).clone()
    latents[:, :, 5:] += 2
    painted = latents.clone()
    painted[:, :, 3:5] = latents[:, :, [6]] + 0.05
    found = estimate(painted, latents, [0, 1, 2, 5, 6], 0.5)
    assert (found[:, :, 3:5] - latents[:, :, [6]]).abs().max() < 0.01


def test_steps_end_at_the_given_token() -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 6, 1, 4, 4).expand(-1, -1, 5, -1, -1).clone()
    canvas, noise = canvas_of(latents, [0, 1, 2]), torch.randn(latents.shape)

    def halfway(noisy: Tensor, t: Tensor) -> Tensor:
        """A model that is always a little off, in another way each time."""
        off = latents + 0.2 * torch.randn(1, 6, 5, 2, 2).sign().repeat_interleave(2, 3).repeat_interleave(
            2, 4
        )
        return torch.where(t > 0, (noisy - off) / t.clamp_min(1e-6), 0.0)

    def last(denoiser) -> float:
        painted = euler(denoiser, canvas.noisy(noise), canvas.sigmas(torch.linspace(1, 0, 9)))
        return float((painted - latents)[:, :, 3:].abs().mean())

    assert last(Stillness(halfway, canvas, TOLERANCE, PATCH)) < 0.75 * last(halfway)


def test_it_moves_what_is_painted_beside_given_frames_alone(stream: Stream) -> None:
    request = {"num_frames": 9, "seed": 3, "steps": 2}
    full = stream.generate("a red ball", size=(32, 32), **request).clip().frames
    kept = stream.generate("a red ball", size=(32, 32), stillness=1.0, **request).clip()
    assert np.array_equal(kept.frames, full)
    plain, drawn = (
        stream.extend(Clip(full, Fraction(16)), prompt="a red ball", stillness=s, **request).clip()
        for s in (0.0, 1.0)
    )
    assert np.array_equal(plain.frames[:9], full) and np.array_equal(drawn.frames[:9], full)
    assert not np.array_equal(plain.frames, drawn.frames)
    assert (plain.settings["stillness"], drawn.settings["stillness"]) == (0.0, 1.0)
