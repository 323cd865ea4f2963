import pytest
import torch

from worldloom.flow.path import clean_from, interpolate, noise_from, velocity


def shapes_of_t(batch: int):
    yield torch.tensor(0.3)
    yield torch.rand(batch)
    yield torch.rand(1, 1, 2, 3, 4)
    yield torch.rand(batch, 1, 2, 1, 1)


@pytest.mark.parametrize("number", range(4))
def test_clean_and_noise_come_back(number):
    t = list(shapes_of_t(2))[number]
    clean, noise = torch.randn(2, 5, 2, 3, 4), torch.randn(2, 5, 2, 3, 4)
    noisy, slope = interpolate(clean, noise, t), velocity(clean, noise)
    torch.testing.assert_close(clean_from(noisy, slope, t), clean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(noise_from(noisy, slope, t), noise, atol=1e-5, rtol=1e-5)


def test_ends_are_exact():
    clean, noise = torch.randn(2, 5), torch.randn(2, 5)
    assert torch.equal(interpolate(clean, noise, 0.0), clean)
    assert torch.equal(interpolate(clean, noise, 1.0), noise)


def test_velocity_is_the_derivative():
    clean, noise = torch.randn(7, dtype=torch.double), torch.randn(7, dtype=torch.double)
    slope = (interpolate(clean, noise, 0.4 + 1e-3) - interpolate(clean, noise, 0.4)) / 1e-3
    torch.testing.assert_close(slope, velocity(clean, noise))


def test_levels_per_sample_must_fit_the_batch():
    with pytest.raises(ValueError, match="3 noise levels do not fit 2"):
        interpolate(torch.zeros(2, 4), torch.zeros(2, 4), torch.zeros(3))
