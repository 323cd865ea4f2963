import pytest
import torch
from diffusers import UniPCMultistepScheduler

from worldloom.flow.schedule import shifted_sigmas


@pytest.mark.parametrize("num_steps", [1, 2, 7, 50])
@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
def test_descends_from_one_to_zero_as_diffusers_has_it(num_steps, shift):
    sigmas = shifted_sigmas(num_steps, shift)
    assert sigmas.shape == (num_steps + 1,) and sigmas[0] == 1 and sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()
    reference = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift
    )
    reference.set_timesteps(num_steps)
    torch.testing.assert_close(sigmas, reference.sigmas, rtol=0, atol=2e-6)  # theirs starts at 1 - 1e-6


def test_needs_a_step():
    with pytest.raises(ValueError, match="num_steps is 0"):
        shifted_sigmas(0)
