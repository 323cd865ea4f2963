import pytest
import torch
import torch.nn.functional as F

from worldloom.nn.gelu_linear import gelu_linear


@pytest.mark.parametrize("approximate", ["tanh", "none"])
@pytest.mark.parametrize("shape", [(7, 24), (2, 5, 24), (0, 24)])
def test_equals_gelu_of_the_product(shape, approximate):
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(shape, generator=generator)
    weight, bias = torch.randn(40, 24, generator=generator), torch.randn(40, generator=generator)
    expected = F.gelu(F.linear(x, weight, bias), approximate=approximate)
    torch.testing.assert_close(gelu_linear(x, weight, bias, approximate), expected, atol=2e-5, rtol=1e-5)


def test_gradients_pass():
    x, weight, bias = torch.randn(3, 4), torch.randn(5, 4, requires_grad=True), torch.randn(5)
    gelu_linear(x, weight, bias, "tanh").sum().backward()
    assert weight.grad is not None and weight.grad.abs().sum() > 0


def test_autocast_and_bfloat16_take_it_too():
    x, weight, bias = torch.randn(3, 24), torch.randn(40, 24), torch.randn(40)
    expected = F.gelu(F.linear(x, weight, bias), approximate="tanh")
    narrow = gelu_linear(x.bfloat16(), weight.bfloat16(), bias.bfloat16(), "tanh")
    assert narrow.dtype == torch.bfloat16
    torch.testing.assert_close(narrow.float(), expected, atol=0.1, rtol=0.02)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = gelu_linear(x.bfloat16(), weight, bias, "tanh")
    torch.testing.assert_close(mixed.float(), expected, atol=0.1, rtol=0.02)


def test_gradients_in_bfloat16_are_those_of_either_form():
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(-4, 4, 400)[:, None] * torch.eye(8)[0]  # one product takes all values from -4 to 4
    weight, grad = torch.eye(8), torch.randn(400, 8, generator=generator)
    exact = x.clone().requires_grad_()
    output = gelu_linear(exact, weight, torch.zeros(8), "tanh")
    expected = torch.autograd.grad(output, exact, grad)[0]
    narrow = x.bfloat16().requires_grad_()
    actual = gelu_linear(narrow, weight.bfloat16(), torch.zeros(8, dtype=torch.bfloat16), "tanh")
    torch.testing.assert_close(actual.float(), output, atol=0.01, rtol=0.01)
    gradient = torch.autograd.grad(actual, narrow, grad.bfloat16())[0]
    torch.testing.assert_close(gradient.float(), expected, atol=0.02, rtol=0.02)
