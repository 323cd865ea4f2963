import pytest
import torch
import torch.nn.functional as F

from worldloom.nn import linear as module
from worldloom.nn import native
from worldloom.nn.linear import Linear, linear

needs_kernel = pytest.mark.skipif(native.why_not() is not None, reason=f"no kernels: {native.why_not()}")


def parts(rows: int, width: int, out: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(rows)
    shapes = [(2, rows, width), (out, width), (out,), (2, rows, out)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def run(function, x, weight, bias, grad):
    inputs = [x.clone().requires_grad_(), weight.clone().requires_grad_(), bias.clone().requires_grad_()]
    out = function(*inputs)
    return [out, *torch.autograd.grad(out, inputs, grad.to(out.dtype))]


@needs_kernel
@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("rows", "width", "out"), [(1, 32, 32), (300, 64, 96), (700, 800, 416)])
def test_gradients_of_weight_and_bias_are_exact_sums(rows, width, out, threads, monkeypatch):
    monkeypatch.setattr(native, "VALUES_PER_THREAD", 1000)
    x, weight, bias, grad = parts(rows, width, out)
    x, grad = x.bfloat16(), grad.bfloat16()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ours, theirs = (run(function, x, weight, bias, grad) for function in (linear, F.linear))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])
    assert [y.dtype for y in ours] == [torch.bfloat16] * 2 + [torch.float32] * 2
    rows_of_x, rows_of_grad = x.double().flatten(0, 1), grad.double().flatten(0, 1)
    for one, exact in ((ours[2], rows_of_grad.T @ rows_of_x), (ours[3], rows_of_grad.sum(0))):
        torch.testing.assert_close(one.double(), exact, atol=1e-5 * exact.abs().max().item(), rtol=1e-5)


@needs_kernel
@pytest.mark.usefixtures("products")
def test_weights_in_bfloat16_get_gradients_of_theirs():
    x, weight, bias, grad = (part.bfloat16() for part in parts(40, 32, 64))
    for one, other in zip(
        run(linear, x, weight, bias, grad), run(F.linear, x, weight, bias, grad), strict=True
    ):
        assert one.dtype == torch.bfloat16
        torch.testing.assert_close(one, other, atol=0.05, rtol=0.02)


@needs_kernel
@pytest.mark.usefixtures("products")
def test_a_layer_at_the_beginning_asks_for_nothing_below():
    x, weight, bias, grad = parts(40, 32, 64)
    weight.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        linear(x.bfloat16(), weight, bias).float().mul(grad).sum().backward()
    assert weight.grad is not None and weight.grad.abs().sum() > 0


def test_the_layer_is_the_usual_one_otherwise():
    layer = Linear(20, 12)
    x = torch.randn(3, 20)
    assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
    assert not module._kernel_takes(x, layer.weight)
    assert not module._kernel_takes(x.bfloat16(), layer.weight)
    wide = Linear(32, 64)
    with torch.no_grad():
        assert not module._kernel_takes(torch.zeros(2, 32).bfloat16(), wide.weight.bfloat16())
