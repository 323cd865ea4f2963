import torch
import torch.nn.functional as F

from worldloom.nn.qk_norm import QKNorm


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
