import pytest
import torch

from worldloom.nn import attention
from worldloom.nn.attention import attend


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
