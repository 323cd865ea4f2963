"""Kernels in C against the operations it stands for, and what happens where it cannot be had."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from worldloom.core.device import cpu_has_fast_bf16
from worldloom.nn import native
from worldloom.nn.channel_norm import ChannelRMSNormSiLU

needs_kernel = pytest.mark.skipif(native.why_not() is not None, reason=f"no kernels: {native.why_not()}")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Look anew before and after: a test changes what there is to find."""
    native._state.cache_clear()
    yield
    native._state.cache_clear()


def norm_of(rows: torch.Tensor, gain: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    out, inverse = torch.empty_like(rows), torch.empty(len(rows), 1)
    count, channels = rows.shape
    native.call("norm_silu", rows, gain, out, inverse, channels, count=count, size=channels)
    return out, inverse


@needs_kernel
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("count", "channels"), [(1, 16), (17, 32), (9_001, 96), (20_000, 48)])
def test_equals_the_formula_up_to_rounding(count: int, channels: int, threads: int) -> None:
    torch.manual_seed(0)
    rows, gain = (torch.randn(count, channels) * 3).bfloat16(), torch.randn(channels) * 4
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        out, inverse = norm_of(rows, gain)
    finally:
        torch.set_num_threads(before)
    wide = rows.double()
    length = wide.norm(dim=1, keepdim=True)
    exact = F.silu(wide / length * gain)
    assert torch.allclose(inverse.double(), 1 / length, rtol=1e-5)
    # half a unit in the last place of bf16 is up to 2^-8 of the value
    assert ((out.double() - exact).abs() <= exact.abs() * 2**-8 * 1.05 + 1e-6).all()


@needs_kernel
def test_large_small_and_missing_numbers() -> None:
    rows = torch.tensor([0.0, 1e-30, 1e15, float("nan")]).view(4, 1).expand(4, 16).contiguous().bfloat16()
    out, _ = norm_of(rows, torch.full((16,), 400.0))
    assert torch.equal(out[0], torch.zeros(16, dtype=torch.bfloat16))
    assert torch.allclose(out[2].float(), torch.full((16,), 100.0))
    assert out[3].isnan().all()
    below, _ = norm_of(rows[2:3], torch.full((16,), -400.0))  # silu(-100) is no number of bf16
    assert below.float().abs().max() < 1e-30


@needs_kernel
def test_the_layer_uses_it_and_agrees_with_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    norm = ChannelRMSNormSiLU(32).to(torch.bfloat16)
    torch.nn.init.normal_(norm.gamma)
    x = torch.randn(2, 32, 3, 5, 6).bfloat16().to(memory_format=torch.channels_last_3d)
    assert native.takes(x.permute(0, 2, 3, 4, 1))
    x.requires_grad_()
    pull = torch.randn(2, 32, 5, 5, 6).bfloat16()

    def both() -> tuple[torch.Tensor, ...]:
        out = norm(x, 2)
        return out, *torch.autograd.grad(out, (x, norm.gamma), pull)

    monkeypatch.setattr(native, "VALUES_PER_THREAD", 1000)
    fast, *gradients = both()
    monkeypatch.setattr(native, "takes", lambda *tensors: False)
    slow, *wanted = both()
    for one, other in zip(gradients, wanted, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(
            one.float(), other.float(), atol=0.01 * other.abs().max().item(), rtol=0.01
        )
    assert fast.shape == slow.shape == (2, 32, 5, 5, 6)
    assert torch.allclose(fast.float(), slow.float(), rtol=2**-7, atol=1e-6)
    assert (fast == slow).float().mean() > 0.97


@needs_kernel
@pytest.mark.parametrize("threads", [1, 3])
def test_gelu_and_its_slope(threads: int) -> None:
    x, grad = torch.linspace(-30, 30, 48 * 4096).bfloat16(), torch.randn(48 * 4096).bfloat16()
    out, slope = torch.empty_like(x), torch.empty_like(x)
    work = {"count": x.numel() // native.LANES, "size": native.LANES}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        native.call("gelu", x, out, **work)
        native.call("gelu_backward", x, grad, slope, **work)
    finally:
        torch.set_num_threads(before)
    wide = x.double().requires_grad_()
    exact = F.gelu(wide, approximate="tanh")
    torch.testing.assert_close(out.double(), exact, atol=1e-4, rtol=2**-8)
    expected = torch.autograd.grad(exact, wide, grad.double())[0]
    torch.testing.assert_close(slope.double(), expected, atol=1e-3, rtol=2**-8)


def test_work_is_shared_out_in_whole_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert [native.thread_count(count, 131_072) for count in (1, 3, 9)] == [1, 3, 4]
    assert native.thread_count(100, 10) == 1


def test_only_bf16_in_order_and_in_whole_lanes() -> None:
    rows = torch.zeros(8, 32, dtype=torch.bfloat16)
    assert native.takes(rows) == (native.why_not() is None)
    assert not native.takes(rows.float())
    assert not native.takes(rows[:, :24])
    assert not native.takes(rows.T)
    assert not native.takes(rows.to("meta"))


def test_it_stands_aside_when_asked() -> None:
    rows = torch.zeros(8, 32, dtype=torch.bfloat16)
    with native.aside():
        assert not native.takes(rows)
    assert native.takes(rows) == (native.why_not() is None)


@pytest.mark.skipif(not cpu_has_fast_bf16(), reason="refused before it looks for a compiler")
@pytest.mark.parametrize(
    ("compiler", "reason"), [("no-such-compiler", "no C compiler"), ("false", "failed: no message")]
)
def test_without_a_compiler_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiler: str, reason: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", compiler)
    assert reason in (native.why_not() or "")
    assert not native.takes(torch.zeros(8, 32, dtype=torch.bfloat16))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@needs_kernel
def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native.why_not() is None
    native._state.cache_clear()
    monkeypatch.setenv("CC", "no-such-compiler")
    assert native.why_not() is None
    assert len(list(tmp_path.rglob("*.so"))) == 1


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.SWITCH, "0")
    assert "switched off" in (native.why_not() or "")
