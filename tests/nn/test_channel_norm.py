"""The channel norm and its fused SiLU against the formula, gradients included."""

import pytest
import torch
import torch.nn.functional as F

from worldloom.nn import pieces
from worldloom.nn.channel_norm import ChannelRMSNorm, ChannelRMSNormSiLU


def norm_with_gains(channels: int) -> ChannelRMSNormSiLU:
    torch.manual_seed(0)
    norm = ChannelRMSNormSiLU(channels)
    torch.nn.init.normal_(norm.gamma)
    return norm


def formula(x: torch.Tensor, gamma: torch.Tensor, front: int) -> torch.Tensor:
    unit = F.normalize(x, dim=1) * x.shape[1] ** 0.5
    return F.pad(F.silu(unit * gamma), (0, 0, 0, 0, front, 0))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("front", [0, 2])
@pytest.mark.parametrize("block", [64, 131_072])
def test_fused_norm_and_its_gradients_equal_the_formula(
    monkeypatch: pytest.MonkeyPatch, block: int, front: int, layout: torch.memory_format
) -> None:
    monkeypatch.setattr(pieces, "VALUES", block)
    norm = norm_with_gains(8)
    x = torch.randn(2, 8, 3, 5, 6).to(memory_format=layout).requires_grad_()
    out, expected = norm(x, front), formula(x, norm.gamma, front)
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.allclose(out, expected, atol=1e-5)
    pull = torch.randn_like(expected)
    actual = torch.autograd.grad(out, (x, norm.gamma), pull)
    wanted = torch.autograd.grad(expected, (x, norm.gamma), pull)
    for ours, theirs in zip(actual, wanted, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_every_pixel_has_length_sqrt_channels() -> None:
    x = torch.randn(2, 12, 4, 5)
    assert torch.allclose(
        ChannelRMSNorm(12, axes=2)(x).norm(dim=1), torch.full((2, 4, 5), 12**0.5), atol=1e-5
    )


def test_a_black_pixel_stays_black() -> None:
    assert torch.equal(norm_with_gains(8)(torch.zeros(1, 8, 1, 2, 2)), torch.zeros(1, 8, 1, 2, 2))


def test_bfloat16_is_normalised_in_float32() -> None:
    norm = norm_with_gains(8)
    x = torch.randn(1, 8, 2, 5, 6)
    expected = formula(x.bfloat16().float(), norm.gamma, 2)
    actual = norm.to(torch.bfloat16)(x.bfloat16(), 2)
    assert actual.dtype == torch.bfloat16
    assert torch.allclose(actual.float(), expected, atol=0.03)
