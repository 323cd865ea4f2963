"""The shortcuts against diffusers' and against each other."""

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AvgDown3D, DupUp3D

from worldloom.core.error import UsageError
from worldloom.nn.causal_conv import StreamState
from worldloom.vae.resample import DoublingConv2d
from worldloom.vae.shortcut import AverageDown, DuplicateUp


def state_of(starting: bool) -> StreamState:
    state = StreamState()
    state.first = starting
    return state


@pytest.mark.parametrize("starting", [True, False])
@pytest.mark.parametrize(
    ("growth", "factor_t", "factor_s"), [(1, 2, 2), (2, 2, 2), (1, 1, 2), (2, 1, 2), (1, 1, 1)]
)
def test_average_down_equals_diffusers(growth: int, factor_t: int, factor_s: int, starting: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5 if starting and factor_t == 2 else 4, 4, 6)
    expected = AvgDown3D(8, 8 * growth, factor_t, factor_s)(x)
    branch = torch.randn_like(expected)
    actual = AverageDown(8, 8 * growth, factor_t, factor_s)(branch, x, state_of(starting))
    assert torch.allclose(actual, branch + expected, atol=1e-5)


@pytest.mark.parametrize("starting", [True, False])
@pytest.mark.parametrize("factor_t", [1, 2])
@pytest.mark.parametrize("shrinkage", [1, 2])
def test_duplicate_up_and_its_gradient_equal_diffusers(shrinkage: int, factor_t: int, starting: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 3, 4, 6, requires_grad=True)
    expected = DupUp3D(8, 8 // shrinkage, factor_t, 2)(x, first_chunk=starting)
    branch = torch.randn_like(expected)
    actual = DuplicateUp(8, 8 // shrinkage, factor_t, 2)(branch, x, state_of(starting))
    assert torch.allclose(actual, branch + expected, atol=1e-6)
    pull = torch.randn_like(expected)
    ours, theirs = torch.autograd.grad(actual, x, pull), torch.autograd.grad(expected, x, pull)
    assert torch.allclose(ours[0], theirs[0], atol=1e-5)


def test_branch_gets_its_gradient_unchanged() -> None:
    branch = torch.randn(1, 8, 5, 8, 8, requires_grad=True)
    x = torch.randn(1, 8, 3, 4, 4)
    pull = torch.randn(1, 8, 5, 8, 8)
    assert torch.equal(torch.autograd.grad(DuplicateUp(8, 8, 2, 2)(branch, x), branch, pull)[0], pull)


def test_widths_that_do_not_fit_a_cell_are_refused() -> None:
    for make in (
        lambda: AverageDown(8, 12, 2, 2),
        lambda: AverageDown(8, 16, 1, 1),
        lambda: DuplicateUp(8, 16, 2, 2),
    ):
        with pytest.raises(UsageError, match="shortcut over cells"):
            make()


def test_doubling_convolution_equals_nearest_neighbour_and_convolution() -> None:
    torch.manual_seed(0)
    layer = DoublingConv2d(4, 6)
    x = torch.randn(2, 4, 5, 7)
    doubled = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest-exact")
    expected = torch.nn.functional.conv2d(doubled, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-5)
