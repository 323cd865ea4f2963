"""The autoencoder's objective: zero where nothing is wrong, and moving pixels count more."""

import pytest
import torch

from worldloom.vae.losses import (
    LossWeights,
    charbonnier,
    edge_error,
    flicker_error,
    importances,
    kl_to_unit_gaussian,
    loss,
    sample_posterior,
)


def moving_square(frames: int = 5, size: int = 32) -> torch.Tensor:
    """A white 4-pixel square on black that moves 4 pixels a frame."""
    video = torch.full((1, 3, frames, size, size), -1.0)
    for i in range(frames):
        video[:, :, i, 14:18, 4 * i : 4 * i + 4] = 1.0
    return video


def test_the_squared_error_minds_one_large_error_more_than_many_small_ones():
    video, zeros = torch.zeros(1, 3, 1, 8, 8), torch.zeros(1, 4, 1, 1, 1)
    one, many = video.clone(), video + 1 / 64
    one[..., 0, 0] = 1.0
    weights = LossWeights(pixel=0.0, square=1.0, edge=0.0, kl=0.0)
    costs = [loss(video, copy, zeros, zeros, weights)[0] for copy in (one, many)]
    assert float(costs[0]) == pytest.approx(1 / 64) and float(costs[1]) == pytest.approx(1 / 64**2)


def test_perfect_reconstruction_of_a_unit_gaussian_costs_only_the_charbonnier_softness():
    video, zeros = moving_square(), torch.zeros(1, 4, 2, 4, 4)
    total, parts = loss(video, video, zeros, zeros)
    assert set(parts) == {"pixel", "square", "edge", "kl"}
    assert parts["square"] == parts["edge"] == parts["kl"] == 0
    assert torch.allclose(parts["pixel"], torch.tensor(1e-3), rtol=1e-3)
    assert torch.allclose(total, parts["pixel"])


def test_total_is_the_weighted_sum_of_the_parts():
    torch.manual_seed(0)
    video, made = moving_square(), torch.randn(1, 3, 5, 32, 32)
    mean, logvar = torch.randn(2, 1, 4, 2, 4, 4)
    weights = LossWeights(pixel=2.0, edge=0.5, flicker=0.25, kl=0.1)
    total, parts = loss(video, made, mean, logvar, weights)
    expected = 2 * parts["pixel"] + 0.5 * parts["edge"] + 0.25 * parts["flicker"] + 0.1 * parts["kl"]
    assert torch.allclose(total, expected)


def test_moving_pixels_weigh_five_times_still_ones():
    video = moving_square()
    importance = importances(video, LossWeights(motion=5.0, motion_reach=0))
    assert importance.shape == (1, 1, 5, 32, 32)
    still, moving = importance[0, 0, 2, 0, 0], importance[0, 0, 2, 15, 9]
    assert torch.allclose(moving, 5 * still)
    assert torch.allclose(importance.mean(), torch.tensor(1.0))
    # Where the object was a frame ago, and where it will be, count too.
    assert importance[0, 0, 2, 15, 5] == moving and importance[0, 0, 2, 15, 13] == moving
    assert importance[0, 0, 2, 15, 1] == still


def test_motion_reach_widens_the_moving_region():
    importance = importances(moving_square(), LossWeights(motion=5.0, motion_reach=2))
    assert importance[0, 0, 2, 12, 9] == importance[0, 0, 2, 15, 9] > importance[0, 0, 2, 11, 9]


def test_what_moves_near_a_thing_weighs_more_than_what_the_camera_moves():
    video, near = moving_square(), torch.zeros(1, 1, 5, 32, 32)
    near[..., 15, 9] = 1
    weights = LossWeights(motion=4.0, things=10.0, motion_reach=0)
    importance = importances(video, weights, near)
    still, moved, thing = (importance[0, 0, 2, row, column] for row, column in ((0, 0), (15, 13), (15, 9)))
    assert torch.allclose(moved, 4 * still) and torch.allclose(thing, 40 * still)
    assert torch.equal(
        importances(video, LossWeights(motion=4.0), near), importances(video, LossWeights(motion=4.0))
    )


def test_a_picture_and_a_still_clip_are_weighed_evenly():
    for video in (torch.randn(2, 3, 1, 8, 8), torch.zeros(1, 3, 5, 8, 8)):
        assert torch.equal(importances(video, LossWeights()), torch.ones_like(video[:, :1]))


def test_an_error_on_the_moving_object_costs_more_than_the_same_error_elsewhere():
    video, zeros = moving_square(), torch.zeros(1, 4, 2, 4, 4)
    on_object, elsewhere = video.clone(), video.clone()
    on_object[:, :, 2, 15, 9] -= 0.5
    elsewhere[:, :, 2, 28, 28] += 0.5
    assert loss(video, on_object, zeros, zeros)[0] > loss(video, elsewhere, zeros, zeros)[0] * 1.2


def test_edges_ignore_a_flat_shift_and_flicker_ignores_a_still_error():
    importance = torch.ones(1, 1, 3, 8, 8)
    flat = torch.full((1, 3, 3, 8, 8), 0.3)
    assert edge_error(flat, importance) == 0 and flicker_error(flat, importance) == 0
    assert torch.allclose(charbonnier(flat, importance), torch.tensor(0.3), atol=1e-4)
    pulsing = flat * torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 3, 1, 1)
    assert flicker_error(pulsing, importance) > 0


def test_kl_matches_torch_distributions():
    torch.manual_seed(0)
    mean, logvar = torch.randn(2, 2, 4, 3, 4, 4)
    posterior = torch.distributions.Normal(mean, (logvar / 2).exp())
    reference = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).mean()
    assert torch.allclose(kl_to_unit_gaussian(mean, logvar), reference, rtol=1e-4)


def test_posterior_samples_have_its_moments_and_repeat_with_the_generator():
    mean, logvar = torch.full((1, 4, 8, 32, 32), 0.7), torch.full((1, 4, 8, 32, 32), -2.0)
    sample = sample_posterior(mean, logvar, torch.Generator().manual_seed(3))
    assert abs(sample.mean().item() - 0.7) < 0.01
    assert abs(sample.var().item() - torch.tensor(-2.0).exp().item()) < 0.01
    assert torch.equal(sample, sample_posterior(mean, logvar, torch.Generator().manual_seed(3)))
