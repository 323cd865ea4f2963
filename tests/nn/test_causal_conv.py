"""Causal convolution: it sees no future, and chunks with a state give what the whole clip gives."""

import pytest
import torch
import torch.nn.functional as F

from worldloom.nn.causal_conv import CausalConv3d, PointwiseConv3d, StreamState, starts


def clip(frames: int = 7, batch: int = 2, channels: int = 4) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(batch, channels, frames, 5, 6)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 1, 1), (1, 3, 3)])
def test_equals_a_convolution_padded_in_front(kernel: tuple[int, int, int], batch: int) -> None:
    layer, x = CausalConv3d(4, 6, kernel), clip(batch=batch)
    height, width = kernel[1] // 2, kernel[2] // 2
    padded = F.pad(x, (width, width, height, height, kernel[0] - 1, 0))
    expected = F.conv3d(padded, layer.weight, layer.bias)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(layer(x), expected, atol=1e-5)


def test_a_picture_takes_the_newest_tap_alone() -> None:
    layer, x = CausalConv3d(4, 6, (3, 3, 3)), clip(frames=1)
    assert torch.allclose(layer(x), layer(clip(frames=1), StreamState()), atol=1e-6)


@pytest.mark.parametrize("cuts", [[1] * 7, [1, 2, 4], [5, 2], [7]])
def test_chunks_equal_the_whole(cuts: list[int]) -> None:
    layer, x, state = CausalConv3d(4, 6, (3, 3, 3)), clip(), StreamState()
    chunks = torch.cat([layer(chunk, state) for chunk in x.split(cuts, dim=2)], dim=2)
    assert torch.allclose(chunks, layer(x), atol=1e-5)


def test_a_state_keeps_only_the_context_and_not_the_chunk() -> None:
    layer, state = CausalConv3d(4, 6, (3, 3, 3)), StreamState()
    layer(clip(frames=50), state)
    kept = state.recall(layer)
    assert kept is not None and kept.shape[2] == 2
    assert kept.untyped_storage().nbytes() == kept.numel() * kept.element_size()


def test_two_layers_share_a_state_without_mixing() -> None:
    first, second, x = CausalConv3d(4, 4, (3, 3, 3)), CausalConv3d(4, 4, (3, 3, 3)), clip()
    state = StreamState()
    chunks = torch.cat([second(first(c, state), state) for c in x.split([3, 4], dim=2)], dim=2)
    assert torch.allclose(chunks, second(first(x)), atol=1e-5)


def test_the_lead_in_is_what_is_remembered() -> None:
    def halve(x: torch.Tensor, front: int, room: torch.Tensor | None) -> torch.Tensor:
        return F.pad(x / 2 + 1, (0, 0, 0, 0, front, 0))

    layer, x, state = CausalConv3d(4, 6, (3, 3, 3)), clip(), StreamState()
    chunks = torch.cat([layer(c, state, halve) for c in x.split([3, 4], dim=2)], dim=2)
    assert torch.allclose(chunks, layer(x / 2 + 1), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_result_is_added_onto_another(dtype: torch.dtype) -> None:
    layer, x = CausalConv3d(16, 16, (3, 3, 3)).to(dtype), clip(channels=16).to(dtype)
    onto = torch.randn(2, 16, 7, 5, 6).to(dtype).to(memory_format=torch.channels_last_3d)
    expected = layer(x).float() + onto.float()
    watched = layer(x, onto=onto.clone())
    assert torch.allclose(watched.float(), expected, atol=0.02 if dtype == torch.bfloat16 else 1e-5)
    watched.sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0
    with torch.no_grad():
        kept = onto.clone()
        layer(x, onto=onto)
        assert torch.equal(onto, kept)
        summed = layer(x, onto=onto, spent=True)
    assert torch.allclose(summed.float(), expected, atol=0.02 if dtype == torch.bfloat16 else 1e-5)


def test_layers_of_a_stream_share_room_and_lose_nothing() -> None:
    first, second = CausalConv3d(4, 4, (3, 3, 3)), CausalConv3d(4, 8, (3, 1, 1))
    x, state = clip(frames=9), StreamState()
    with torch.no_grad():
        expected = second(first(x))
        chunks = [second(first(chunk, state), state) for chunk in x.split([1, 4, 2, 2], dim=2)]
        assert state.room(x, 2).data_ptr() == state.room(x[:, :, :1], 1).data_ptr()
    assert torch.allclose(torch.cat(chunks, dim=2), expected, atol=1e-5)


def test_a_stream_goes_on_in_and_out_of_inference_mode() -> None:
    layer, x, state = CausalConv3d(4, 6, (3, 3, 3)), clip(), StreamState()
    with torch.inference_mode():
        chunks = [layer(x[:, :, :3], state).clone()]
    with torch.no_grad():
        chunks += [layer(x[:, :, 3:5], state)]
    with torch.inference_mode():
        chunks += [layer(x[:, :, 5:], state).clone()]
        assert torch.allclose(torch.cat(chunks, dim=2), layer(x), atol=1e-5)


def test_pointwise_equals_the_convolution_it_stands_for() -> None:
    layer, x = PointwiseConv3d(4, 6), clip()
    assert torch.allclose(layer(x), F.conv3d(x, layer.weight, layer.bias), atol=1e-5)


def test_a_clip_starts_until_its_first_chunk_is_through() -> None:
    state = StreamState()
    assert starts(None) and starts(state)
    state.first = False
    assert not starts(state)
