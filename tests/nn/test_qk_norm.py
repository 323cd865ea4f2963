import pytest
import torch
import torch.nn.functional as F

from worldloom.nn import native, pieces
from worldloom.nn.qk_norm import QKNorm
from worldloom.nn.rope import apply_rope, rope_table


def test_value_and_gradients_are_rms_norm():
    norm = QKNorm(12, eps=1e-3)
    torch.nn.init.normal_(norm.weight)
    x, grad = torch.randn(2, 5, 12, requires_grad=True), torch.randn(2, 5, 12)
    expected = F.rms_norm(x, (12,), norm.weight, 1e-3)
    actual = norm(x)
    torch.testing.assert_close(actual, expected)
    for one, other in zip(
        torch.autograd.grad(actual, [x, norm.weight], grad),
        torch.autograd.grad(expected, [x, norm.weight], grad),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_bfloat16_is_normalised_in_float32_with_gradients_of_its_own_type():
    norm = QKNorm(12, eps=1e-3)
    torch.nn.init.normal_(norm.weight)
    x, grad = torch.randn(2, 5, 12).bfloat16().requires_grad_(), torch.randn(2, 5, 12)
    wide = x.detach().float().requires_grad_()
    actual, expected = norm(x), F.rms_norm(wide, (12,), norm.weight, 1e-3)
    torch.testing.assert_close(actual, expected.bfloat16())
    ours = torch.autograd.grad(actual, [x, norm.weight], grad.bfloat16())
    theirs = torch.autograd.grad(expected, [wide, norm.weight], grad.bfloat16().float())
    assert [g.dtype for g in ours] == [torch.bfloat16, torch.float32]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.float(), other, atol=0.02, rtol=0.02)


def test_zero_vector_stays_zero():
    norm = QKNorm(8, eps=1e-6)
    x = torch.zeros(1, 8, requires_grad=True)
    norm(x).sum().backward()
    assert (norm(x) == 0).all() and torch.isfinite(x.grad).all()


def test_other_dtypes_keep_theirs():
    x = torch.randn(3, 8)
    norm = QKNorm(8, eps=1e-6)
    assert norm.to(torch.bfloat16)(x.to(torch.bfloat16)).dtype == torch.bfloat16
    torch.testing.assert_close(
        norm.double()(x.double()), F.rms_norm(x.double(), (8,), norm.weight.double(), 1e-6)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norm_and_rotation_in_one_are_one_after_the_other(monkeypatch, dtype):
    monkeypatch.setattr(pieces, "VALUES", 7 * 36)  # 24 tokens in pieces of 7
    grid, heads, size = (2, 3, 4), 3, 12
    norm, table = QKNorm(heads * size, eps=1e-6), rope_table(grid, size)
    torch.nn.init.normal_(norm.weight)
    x, grad = (torch.randn(2, 24, heads * size).to(dtype) for _ in range(2))
    x.requires_grad_()
    wide = x.detach().double().requires_grad_()
    expected = F.rms_norm(wide, (heads * size,), norm.weight.double(), 1e-6)
    expected = apply_rope(expected.unflatten(-1, (heads, size)), table.double()).flatten(-2)
    actual = norm(x, table)
    assert actual.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    torch.testing.assert_close(actual.double(), expected, atol=tolerance, rtol=tolerance)
    ours = torch.autograd.grad(actual, [x, norm.weight], grad)
    theirs = torch.autograd.grad(expected, [wide, norm.weight], grad.double())
    for one, other in zip(ours, theirs, strict=True):
        scale = other.abs().max()
        torch.testing.assert_close(
            one.double() / scale, other.double() / scale, atol=tolerance, rtol=tolerance
        )
    transposed = grad.mT.contiguous().mT  # as the gradient of a matrix product may lie
    for one, other in zip(
        torch.autograd.grad(norm(x, table), [x, norm.weight], transposed), ours, strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_compiler_gets_the_same():
    norm, table = QKNorm(24, eps=1e-6), rope_table((1, 2, 3), 12)
    x = torch.randn(2, 6, 24)
    torch.testing.assert_close(torch.compile(norm, backend="eager")(x, table), norm(x, table))


@pytest.mark.skipif(native.why_not() is not None, reason=f"no kernels: {native.why_not()}")
@pytest.mark.parametrize("turns", [True, False])
def test_the_kernel_is_the_same(monkeypatch, turns):
    grid, heads, size = (2, 3, 4), 3, 32
    norm, table = QKNorm(heads * size, eps=1e-6), rope_table(grid, size) if turns else None
    torch.nn.init.normal_(norm.weight)
    x, grad = (torch.randn(2, 24, heads * size).bfloat16() for _ in range(2))
    x.requires_grad_()

    def both() -> list[torch.Tensor]:
        out = norm(x, table)
        return [out, *torch.autograd.grad(out, [x, norm.weight], grad)]

    monkeypatch.setattr(native, "VALUES_PER_THREAD", 1000)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        fast = both()
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(native, "takes", lambda *tensors: False)
    for one, other in zip(fast, both(), strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(
            one.float(), other.float(), atol=0.02 * other.abs().max().item(), rtol=2**-7
        )
