"""Winograd's convolution: the sums of the direct one, at any size and length."""

import pytest
import torch
import torch.nn.functional as F

from worldloom.core.device import has_amx
from worldloom.nn import native, winograd
from worldloom.nn.causal_conv import CausalConv3d, StreamState
from worldloom.nn.winograd import pays, winograd_conv3d

TOLERANCE = 3e-5
IN_LANES = pytest.mark.skipif(native.why_not() is not None, reason="made for processors fast in bf16")


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


@IN_LANES
@pytest.mark.parametrize(
    ("channels", "taps", "size"),
    [
        ((32, 32), 3, (3, 8, 12)),
        ((32, 12), 3, (2, 7, 9)),
        ((64, 48), 1, (1, 5, 5)),
        ((96, 64), 3, (4, 33, 18)),
        ((32, 16), 2, (2, 70, 131)),
        ((32, 5), 3, (1, 1, 3)),
    ],
)
def test_in_bf16_it_rounds_twice_as_much_as_the_direct_sum(channels, taps, size) -> None:
    """Direct sums are rounded once, at the end; coordinates of input and kernel are as well."""
    x, weight, bias = (t.bfloat16() for t in operands(2, channels, taps, size))
    onto = torch.randn(2, channels[1], *size).bfloat16().to(memory_format=torch.channels_last_3d)
    exact = F.conv3d(x.double(), weight.double(), bias.double(), padding=(0, 1, 1))
    ours = winograd_conv3d(x, weight, bias)
    assert ours.is_contiguous(memory_format=torch.channels_last_3d)
    assert float((ours - exact).norm() / exact.norm()) < 5e-3
    bare = F.conv3d(x.double(), weight.double(), padding=(0, 1, 1))
    assert float((winograd_conv3d(x, weight, None) - bare).norm() / bare.norm()) < 6e-3
    for layout in (torch.channels_last_3d, torch.contiguous_format):
        given = onto.clone(memory_format=layout)
        out = winograd_conv3d(x, weight, bias, given)
        assert out.data_ptr() == given.data_ptr()
        assert float((out - (exact + onto)).norm() / (exact + onto).norm()) < 5e-3


@IN_LANES
def test_threads_share_out_the_pieces() -> None:
    x, weight, bias = (t.bfloat16() for t in operands(1, (32, 32), 3, (3, 96, 80)))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = winograd_conv3d(x, weight, bias)
        torch.set_num_threads(3)
        assert torch.equal(winograd_conv3d(x, weight, bias), alone)
    finally:
        torch.set_num_threads(before)


@IN_LANES
def test_a_layer_in_bf16_takes_it_where_no_tiles_multiply() -> None:
    layer = CausalConv3d(32, 32, (3, 3, 3)).bfloat16().requires_grad_(False)
    clip = torch.randn(1, 32, 6, 32, 32).bfloat16().to(memory_format=torch.channels_last_3d)
    assert pays(clip, layer.weight) == (not has_amx())
    assert not pays(clip.contiguous(), layer.weight)
    assert not pays(clip, layer.weight.float())  # as under autocast
    assert not pays(clip[:, :16], layer.weight[:, :16])
    onto = torch.randn(1, 32, 6, 32, 32).bfloat16().to(memory_format=torch.channels_last_3d)
    kept = onto.clone()
    exact = layer.float()(clip.float()) + kept
    layer.bfloat16()
    added = layer(clip, onto=onto)
    assert torch.equal(onto, kept)
    spent = layer(clip, onto=onto, spent=True)
    assert spent.data_ptr() == onto.data_ptr() and torch.equal(spent, added)
    assert float((added - exact).norm() / exact.norm()) < 5e-3


def test_a_layer_takes_it_only_where_it_pays_and_nothing_is_learnt() -> None:
    layer = CausalConv3d(32, 32, (3, 3, 3))
    large = torch.randn(1, 32, 6, 32, 32)
    assert pays(large, layer.weight) and not pays(large[..., :16, :16], layer.weight)
    assert not pays(large.double(), layer.weight)
    assert not pays(large, CausalConv3d(32, 32, (3, 1, 1)).weight)
    layer(large).sum().backward()  # the direct convolution has a gradient
    assert layer.weight.grad is not None


def test_a_stream_of_chunks_gives_the_whole_clip() -> None:
    layer, state = CausalConv3d(32, 32, (3, 3, 3)).requires_grad_(False), StreamState()
    clip = torch.randn(1, 32, 6, 64, 64)
    chunks = [layer(chunk, state) for chunk in clip.split([1, 3, 2], dim=2)]
    assert torch.allclose(torch.cat(chunks, dim=2), layer(clip), atol=1e-5)
