import pytest
import torch

from worldloom.flow.timestep import logit_normal, shift_timestep, whole_timestep


def test_logit_normal_has_its_moments_and_repeats():
    draw = logit_normal((20000,), torch.Generator().manual_seed(1), mean=0.5, std=0.8)
    assert draw.min() > 0 and draw.max() < 1
    logit = torch.logit(draw.double())
    assert logit.mean().item() == pytest.approx(0.5, abs=0.03)
    assert logit.std().item() == pytest.approx(0.8, abs=0.03)
    assert torch.equal(draw, logit_normal((20000,), torch.Generator().manual_seed(1), mean=0.5, std=0.8))
    assert not torch.equal(draw, logit_normal((20000,), torch.Generator().manual_seed(2), mean=0.5, std=0.8))


def test_shift_keeps_ends_and_order_and_is_undone_by_its_inverse():
    t = torch.linspace(0, 1, 101, dtype=torch.double)
    shifted = shift_timestep(t, 3.0)
    assert (
        shifted[0] == 0
        and shifted[-1] == 1
        and (shifted.diff() > 0).all()
        and (shifted[1:-1] > t[1:-1]).all()
    )
    torch.testing.assert_close(shift_timestep(shifted, 1 / 3), t)
    assert torch.equal(shift_timestep(t, 1.0), t)


def test_shift_must_be_positive():
    with pytest.raises(ValueError, match="shift is 0"):
        shift_timestep(torch.tensor(0.5), 0)


def test_whole_timesteps_round_down():
    t = torch.tensor([0.0, 0.9529, 0.999999, 1.0])
    assert (whole_timestep(t) * 1000).round().tolist() == [0, 952, 999, 1000]
