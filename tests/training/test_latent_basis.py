"""Changes of the latents' basis leave reconstructions as they were and do to the latents what they say."""

import pytest
import torch

from worldloom.training.latent_basis import RIDGE, WHITE_LOGVAR, revive, value_in_pixels, whiten
from worldloom.vae import presets
from worldloom.vae.autoencoder import Autoencoder


@pytest.fixture
def model() -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder(presets.debug())
    with torch.no_grad():
        # Latent directions of very different size, and not at the origin.
        model.quant_conv.weight.mul_(torch.tensor([9.0, 3.0, 1.0, 0.5] * 2).view(-1, 1, 1, 1, 1))
        model.quant_conv.bias.add_(0.7)
        # A posterior as sure of itself as a trained one.
        model.quant_conv.weight[4:] = 0
        model.quant_conv.bias[4:] = -9
    return model


@pytest.fixture
def videos() -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.rand(1, 3, 9, 32, 32) * 2 - 1 for _ in range(4)]


def copy_of(model: Autoencoder, video: torch.Tensor) -> torch.Tensor:
    return model.reconstruct(model.posterior(video)[0])


def covariance(model: Autoencoder, videos: list[torch.Tensor]) -> torch.Tensor:
    return torch.cov(torch.cat([model.posterior(video)[0].flatten(2)[0] for video in videos], 1).double())


@torch.no_grad()
def test_whitening_gives_unit_covariance_and_the_same_pixels(model, videos):
    before = copy_of(model, videos[0])
    whiten(model, videos)
    assert torch.allclose(copy_of(model, videos[0]), before, atol=1e-4)
    values = torch.linalg.eigvalsh(covariance(model, videos))
    assert values.min() > 0.3 and values.max() < 1 + RIDGE
    assert torch.equal(model.posterior(videos[0])[1].unique(), torch.tensor([WHITE_LOGVAR]))


@torch.no_grad()
def test_directions_that_drown_in_noise_begin_anew(model, videos):
    # Two directions across all channels carry nothing, and the decoder minds where they stand.
    dead = torch.linalg.qr(torch.randn(4, 2)).Q
    weight = model.quant_conv.weight[:4].flatten(1)
    model.quant_conv.weight[:4] = (weight - dead @ dead.T @ weight).view(4, 8, 1, 1, 1)
    before = copy_of(model, videos[0])
    assert torch.linalg.eigvalsh(covariance(model, videos))[1] < 1e-9
    assert revive(model, videos) == 2
    assert torch.allclose(copy_of(model, videos[0]), before, atol=1e-4)
    assert torch.linalg.eigvalsh(covariance(model, videos))[0] > 1e-3
    untouched = model.quant_conv.weight.clone()
    assert revive(model, videos) == 0 and torch.equal(model.quant_conv.weight, untouched)


@torch.no_grad()
def test_in_the_pixel_basis_equal_latent_errors_cost_equal_pixel_errors(model, videos):
    # Directions of the decoder that differ, but not so much that curvature hides the smallest.
    model.post_quant_conv.weight.copy_(torch.diag(torch.tensor([0.5, 1.0, 2.0, 3.0])).view(4, 4, 1, 1, 1))
    before = copy_of(model, videos[0])
    value_in_pixels(model, videos, power=1.0, seed=3)
    assert torch.allclose(copy_of(model, videos[0]), before, atol=1e-4)
    assert covariance(model, videos).diagonal().mean() == pytest.approx(1, rel=1e-3)
    plain, raw = before, model.posterior(videos[0])[0]
    field = 0.03 * torch.randn(raw[:, 0].shape)
    costs = []
    for channel in range(4):
        probed = raw.clone()
        probed[:, channel] += field
        costs.append(float((model.reconstruct(probed) - plain).square().mean()))
    assert max(costs) < 1.5 * min(costs)
