import pytest
import torch

from worldloom.flow.guidance import guide, is_guided


def test_scale_one_is_the_conditional_and_zero_the_unconditional():
    conditional, unconditional = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    assert torch.equal(guide(conditional, unconditional, 1.0), conditional)
    assert torch.equal(guide(conditional, unconditional, 0.0), unconditional)
    expected = unconditional + 5 * (conditional - unconditional)
    torch.testing.assert_close(guide(conditional, unconditional, 5.0), expected, atol=1e-5, rtol=1e-5)


def test_full_rescale_restores_each_samples_deviation():
    conditional, unconditional = (
        torch.randn(2, 3, 40) * torch.tensor([1.0, 4.0])[:, None, None],
        torch.randn(2, 3, 40),
    )
    guided = guide(conditional, unconditional, 6.0, rescale=1.0)
    torch.testing.assert_close(guided.std((1, 2)), conditional.std((1, 2)))
    plain, half = guide(conditional, unconditional, 6.0), guide(conditional, unconditional, 6.0, rescale=0.5)
    torch.testing.assert_close(half, (plain + guided) / 2, atol=1e-5, rtol=1e-5)


def test_levels_within_the_interval_are_guided():
    sigmas = torch.tensor([1.0, 0.8, 0.5, 0.2, 0.0])
    assert [is_guided(sigma) for sigma in sigmas] == [True] * 5
    assert [is_guided(sigma, (0.3, 0.9)) for sigma in sigmas] == [False, True, True, False, False]
    cells = sigmas[:, None, None, None, None, None] * torch.tensor([0.0, 1.0, 0.5])
    assert [is_guided(level, (0.3, 0.9)) for level in cells] == [False, True, True, False, False]


def test_refusals():
    with pytest.raises(ValueError, match=r"0\.9\.\.0\.3"):
        is_guided(torch.tensor(0.5), (0.9, 0.3))
    with pytest.raises(ValueError, match="rescale is 2"):
        guide(torch.zeros(1, 1), torch.zeros(1, 1), 2.0, rescale=2)
