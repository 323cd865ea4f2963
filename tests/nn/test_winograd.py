"""Winograd's convolution: the sums of the direct one, at any size and length."""

import pytest
import torch
import torch.nn.functional as F

from worldloom.nn import winograd
from worldloom.nn.causal_conv import CausalConv3d, StreamState
from worldloom.nn.winograd import pays, winograd_conv3d

TOLERANCE = 3e-5


def operands(
    batch: int, channels: tuple[int, int], taps: int, size: tuple[int, int, int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    frames, height, width = size
    x = torch.randn(batch, channels[0], frames + taps - 1, height, width)
    weight = torch.randn(channels[1], channels[0], taps, 3, 3) / (channels[0] * taps * 9) ** 0.5
    return x.to(memory_format=torch.channels_last_3d), weight, torch.randn(channels[1])


def error(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> float:
    exact = F.conv3d(x.double(), weight.double(), None if bias is None else bias.double(), padding=(0, 1, 1))
    return float((winograd_conv3d(x, weight, bias) - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("size", [(1, 4, 4), (3, 8, 12), (2, 5, 7), (1, 1, 9), (4, 33, 18)])
@pytest.mark.parametrize("taps", [1, 3])
def test_equals_the_direct_sum(size: tuple[int, int, int], taps: int) -> None:
    assert error(*operands(1, (6, 5), taps, size)) < TOLERANCE


def test_batches_and_no_bias() -> None:
    x, weight, _ = operands(3, (8, 4), 3, (2, 9, 8))
    assert error(x, weight, None) < TOLERANCE


@pytest.mark.parametrize("block_bytes", [1, 30_000, 200_000])
def test_any_blocks_give_the_same(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(winograd, "LEAST_TILES", 1)
    assert error(*operands(1, (6, 5), 3, (2, 30, 41))) < TOLERANCE


def test_memory_does_not_depend_on_the_operands_layout() -> None:
    x, weight, bias = operands(1, (6, 5), 3, (2, 12, 12))
    assert torch.allclose(
        winograd_conv3d(x.contiguous(), weight, bias), winograd_conv3d(x, weight, bias), atol=1e-5
    )


def test_a_layer_takes_it_only_where_it_pays_and_nothing_is_learnt() -> None:
    layer = CausalConv3d(32, 32, (3, 3, 3))
    large = torch.randn(1, 32, 6, 32, 32)
    assert pays(large, layer.weight) and not pays(large[..., :16, :16], layer.weight)
    assert not pays(large.bfloat16(), layer.weight)
    assert not pays(large, CausalConv3d(32, 32, (3, 1, 1)).weight)
    layer(large).sum().backward()  # the direct convolution has a gradient
    assert layer.weight.grad is not None


def test_a_stream_of_chunks_gives_the_whole_clip() -> None:
    layer, state = CausalConv3d(32, 32, (3, 3, 3)).requires_grad_(False), StreamState()
    clip = torch.randn(1, 32, 6, 64, 64)
    chunks = [layer(chunk, state) for chunk in clip.split([1, 3, 2], dim=2)]
    assert torch.allclose(torch.cat(chunks, dim=2), layer(clip), atol=1e-5)
