import pytest
import torch

from worldloom.flow.epsilon import BELOW, scaled_epsilon
from worldloom.flow.path import clean_from, interpolate, noise_from, velocity


@pytest.mark.parametrize("level", [0.1, 0.4, 0.59])
def test_an_estimate_that_finds_too_little_noise_is_mended(level):
    """Of a denoiser that knows what lies under the noise up to a share of the noise, the scaled one finds it all."""
    clean, noise = torch.randn(2, 1, 4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor(level)
    noisy = interpolate(clean, noise, t)
    found = noise / 1.25
    short = found - (noisy - t * found) / (1 - t)
    mended = scaled_epsilon(lambda x, t: short, 1.25)(noisy, t)
    assert torch.allclose(noise_from(noisy, mended, t), noise, atol=1e-4)
    assert torch.allclose(clean_from(noisy, mended, t), clean, atol=1e-4)
    assert torch.allclose(mended, velocity(clean, noise), atol=1e-4)


def test_only_low_levels_are_scaled_token_by_token():
    noisy, answer = torch.randn(2, 1, 4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([BELOW, 0.3, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 4, 4)
    scaled = scaled_epsilon(lambda x, t: answer, 1.2)(noisy, t)
    assert torch.equal(scaled[:, :, 0], answer[:, :, 0])
    assert not torch.isclose(scaled[:, :, 1], answer[:, :, 1]).any()
    assert scaled.isfinite().all()
    assert torch.equal(scaled_epsilon(lambda x, t: answer, 1.0)(noisy, t), answer)
