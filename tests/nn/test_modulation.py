import pytest
import torch
import torch.nn.functional as F

from worldloom.nn import native
from worldloom.nn.modulation import Levels, add_gated, norm_modulate

GRID = (2, 3, 4)


def forms_of_t() -> dict[str, tuple[torch.Tensor, int]]:
    """Each form of t, with the number of rows that must be computed for it."""
    generator = torch.Generator().manual_seed(0)
    region = (torch.rand(2, *GRID, generator=generator) > 0.5) * torch.tensor([0.3, 0.6]).view(2, 1, 1, 1)
    return {
        "all": (torch.rand(1, generator=generator), 1),
        "sample": (torch.rand(2, generator=generator), 2),
        "frame": (torch.rand(2, 2, 1, 1, generator=generator), 4),
        "frame in full": (torch.rand(2, 2, 1, 1, generator=generator).expand(-1, *GRID), 4),
        "region": (region, 3),
        "column": (torch.rand(2, 1, 1, 4, generator=generator), 8),
    }


@pytest.mark.parametrize("form", forms_of_t())
def test_rows_meet_their_tokens(form):
    t, rows = forms_of_t()[form]
    levels = Levels.of(t, GRID)
    assert len(levels.values) == rows
    full = (t.view(-1, 1, 1, 1) if t.ndim == 1 else t).expand(2, *GRID).reshape(2, -1, 1)
    x, branch = torch.randn(2, 24, 8), torch.randn(2, 24, 8)
    slope, offset = torch.randn(8), torch.randn(8)
    of_level = levels.values[:, None] * slope + offset
    of_token = full * slope + offset
    expected = F.layer_norm(x, (8,), eps=1e-6) * (1 + of_token) + 2 * of_token
    actual = norm_modulate(x, of_level, 2 * of_level, levels.index, 1e-6)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(add_gated(x, branch, of_level, levels.index), x + branch * of_token)


@pytest.mark.parametrize("shape", [(2, 2, 3, 3), (2, 3, 1, 1), (2, 24), (2, 1, 2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="t has shape"):
        Levels.of(torch.zeros(shape), GRID)


@pytest.mark.skipif(native.why_not() is not None, reason=f"no kernels: {native.why_not()}")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("form", forms_of_t())
def test_the_kernels_are_the_same(form, threads, monkeypatch):
    monkeypatch.setattr(native, "VALUES_PER_THREAD", 200)
    t, _ = forms_of_t()[form]
    levels = Levels.of(t, GRID)
    x, branch, grad = (torch.randn(2, 24, 32) for _ in range(3))
    rows = [torch.randn(len(levels.values), 32).requires_grad_() for _ in range(3)]

    def run(dtype: torch.dtype) -> list[torch.Tensor]:
        tokens = [y.bfloat16().to(dtype).requires_grad_() for y in (x, branch)]
        wide = torch.promote_types(dtype, torch.float32)
        scale, shift, gate = (row.to(wide) for row in rows)
        normed = norm_modulate(tokens[0], scale, shift, levels.index, 1e-6)
        added = add_gated(normed, tokens[1], gate, levels.index)
        return [added, *torch.autograd.grad(added, [*tokens, *rows], grad.to(dtype))]

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        narrow = run(torch.bfloat16)
    finally:
        torch.set_num_threads(before)
    assert [y.dtype for y in narrow] == [torch.bfloat16] * 3 + [torch.float32] * 3
    for one, other in zip(narrow, run(torch.float64), strict=True):
        torch.testing.assert_close(
            one.double(), other.double(), atol=0.02 * other.abs().max().item(), rtol=0.02
        )
