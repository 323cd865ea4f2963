import pytest
import torch

from worldloom.nn import attention, native
from worldloom.nn.attention import attend

needs_kernel = pytest.mark.skipif(native.why_not() is not None, reason=f"no kernels: {native.why_not()}")


def plain(query, key, value, bias=None):
    """Attention as the paper writes it, in fp64."""
    query, key, value = query.double(), key.double(), value.double()
    scores = torch.einsum("bank,balk->banl", query, key) / query.shape[-1] ** 0.5
    if bias is not None:
        scores = scores + bias.double()
    return torch.einsum("banl,balk->bank", torch.softmax(scores, -1), value)


def heads(keys: int, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(keys)
    shapes = [(2, 3, 20, 16), (2, 3, keys, 16), (2, 3, keys, 16)]
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


# On either side of each threshold, so that both kernels are met.
LENGTHS = {torch.float32: [1, 40, 300], torch.bfloat16: [1, 40, 1100]}


@pytest.mark.parametrize(("dtype", "keys"), [(dtype, keys) for dtype in LENGTHS for keys in LENGTHS[dtype]])
@pytest.mark.parametrize("biased", [False, True])
def test_every_branch_is_attention(dtype, keys, biased):
    inputs = heads(keys, dtype)
    bias = None
    if biased:
        bias = torch.randn(2, 1, 1, keys, generator=torch.Generator().manual_seed(keys))
        bias[:, :, :, keys // 2 + 1 :] = float("-inf")
    expected = plain(*inputs, bias)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    for grad_enabled in (True, False):
        with torch.set_grad_enabled(grad_enabled):
            actual = attend(*inputs, bias)
        assert actual.dtype == dtype
        torch.testing.assert_close(actual.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("keys", [40, 300])
def test_gradients(keys):
    inputs = heads(keys)
    actual = torch.autograd.grad(attend(*inputs).square().sum(), inputs)
    expected = torch.autograd.grad(plain(*inputs).square().sum(), inputs)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_dispatch_by_length_dtype_and_mode():
    assert not attention._explicit_is_faster(*heads(25))
    narrow = heads(320, torch.bfloat16)
    assert attention._explicit_is_faster(*narrow)
    with torch.no_grad():
        assert not attention._explicit_is_faster(*narrow)
    assert not attention._explicit_is_faster(*heads(1025, torch.bfloat16))
    assert not attention._explicit_is_faster(*[x.to("meta") for x in narrow])


def test_the_kernel_takes_what_it_can():
    plain = torch.randn(1, 2, 5, 32).bfloat16()
    there = native.why_not() is None
    bias = torch.zeros(1, 1, 1, 5)
    assert attention._kernel_takes(plain, plain, plain, bias) == there
    assert not attention._kernel_takes(plain.float(), plain, plain, None)
    assert not attention._kernel_takes(plain[..., :16], plain[..., :16], plain[..., :16], None)
    assert not attention._kernel_takes(plain.mT, plain.mT, plain.mT, None)
    assert not attention._kernel_takes(plain, plain, plain, bias.expand(1, 1, 5, 5))
    assert not attention._kernel_takes(plain, plain, plain, bias.clone().requires_grad_())
    long = plain.expand(1, 2, 5, 32)[:, :, :1].expand(1, 2, attention.KERNEL_KEYS + 1, 32)
    assert not attention._kernel_takes(plain, long, long, None)


@needs_kernel
@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("tokens", "keys", "size", "biased"),
    [(1, 1, 32, False), (64, 64, 64, False), (50, 37, 64, True), (300, 40, 64, True), (33, 300, 128, False)],
)
def test_the_kernel_is_attention_and_so_are_its_gradients(tokens, keys, size, biased, threads, monkeypatch):
    monkeypatch.setattr(native, "VALUES_PER_THREAD", 1000)
    generator = torch.Generator().manual_seed(tokens)
    # as projections leave them: heads side by side
    inputs = [
        torch.randn(2, n, 3, size, generator=generator).bfloat16().transpose(1, 2).requires_grad_()
        for n in (tokens, keys, keys)
    ]
    bias = None
    if biased:
        bias = torch.randn(2, 1, 1, keys, generator=generator)
        bias[:, :, :, keys // 2 + 1 :] = float("-inf")
    grad = torch.randn(2, 3, tokens, size, generator=generator).bfloat16()
    expected = plain(*inputs, bias)
    wanted = torch.autograd.grad(expected, inputs, grad.double())
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        actual = attend(*inputs, bias)
        found = [
            torch.autograd.grad(actual, inputs, g, retain_graph=True) for g in (grad, grad.mT.contiguous().mT)
        ]
    finally:
        torch.set_num_threads(before)
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.double(), expected, atol=0.01 * expected.abs().max().item(), rtol=0.01)
    for given in found:
        for one, other in zip(given, wanted, strict=True):
            assert one.dtype == torch.bfloat16
            torch.testing.assert_close(
                one.double(), other.double(), atol=0.01 * grad.abs().max().item(), rtol=0.02
            )


@needs_kernel
@pytest.mark.usefixtures("products")
def test_what_all_values_share_comes_out_exactly():
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 2, 40, 32, generator=generator).bfloat16() for _ in range(2))
    value = torch.full((1, 2, 40, 32), 3.0).bfloat16()
    assert torch.equal(attend(query, key, value), value)


@needs_kernel
@pytest.mark.usefixtures("products")
def test_one_bias_for_all_samples_and_numbers_that_are_none():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 2, 40, 32, generator=generator).bfloat16() for _ in range(3))
    bias = torch.randn(1, 1, 1, 40, generator=generator)
    both = attend(query, key, value, bias)
    assert torch.equal(both[1], attend(query[1:], key[1:], value[1:], bias)[0])
    key[0, 0, 7, 3] = float("nan")
    broken = attend(query, key, value)
    assert broken[0, 0].isnan().all() and broken[0, 1].isfinite().all() and broken[1].isfinite().all()


@needs_kernel
@pytest.mark.usefixtures("products")
def test_products_of_other_libraries_go_on_as_before():
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(96, 200, generator=generator).bfloat16() for _ in range(2))
    heads = torch.randn(1, 2, 50, 32, generator=generator).bfloat16()
    before = left @ right.T
    for _ in range(3):
        attend(heads, heads, heads)
        assert torch.equal(left @ right.T, before)
