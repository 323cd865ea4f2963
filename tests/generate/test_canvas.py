"""What is known stays to the bit, and levels are what the layout says."""

import pytest
import torch

from worldloom.core.error import UsageError
from worldloom.flow.sampler import euler
from worldloom.flow.schedule import shifted_sigmas
from worldloom.generate.canvas import blank_canvas


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_blank_canvas_is_all_noise_and_one_level() -> None:
    canvas, noise, schedule = blank_canvas(4, (3, 4, 6)), draw(1, 4, 3, 4, 6), shifted_sigmas(5, 3.0)
    assert torch.equal(canvas.noisy(noise), noise)
    assert torch.equal(canvas.sigmas(schedule), schedule)
    assert not canvas.known.any()


def test_known_cells_survive_sampling_to_the_bit() -> None:
    prefix, suffix = draw(1, 4, 1, 4, 6), draw(1, 4, 1, 4, 6) + 1
    canvas = blank_canvas(4, (4, 4, 6)).keep_prefix(prefix).keep_suffix(suffix)
    noise, sigmas = draw(1, 4, 4, 4, 6), canvas.sigmas(shifted_sigmas(5, 3.0))
    painted = euler(lambda x, t: torch.ones_like(x), canvas.noisy(noise), sigmas)
    assert torch.equal(painted[:, :, :1], prefix) and torch.equal(painted[:, :, -1:], suffix)
    assert torch.allclose(painted[:, :, 1:3], noise[:, :, 1:3] - 1, atol=1e-6)  # from level 1 to 0 at speed 1


def test_an_edit_starts_from_noised_content() -> None:
    content, noise = draw(1, 4, 3, 4, 6), draw(1, 4, 3, 4, 6).flip(2)
    canvas = blank_canvas(4, (3, 4, 6)).begin_from(content, 0.25)
    assert torch.allclose(canvas.noisy(noise), 0.75 * content + 0.25 * noise)
    sigmas = canvas.sigmas(shifted_sigmas(4))
    assert sigmas.shape == (5,) and sigmas[0].item() == 0.25  # one level for all cells needs no grid
    half = torch.full((3, 4, 6), 0.25)
    half[0] = 0.5
    sigmas = canvas.begin_from(content, half).sigmas(shifted_sigmas(4))
    assert sigmas.shape == (5, 1, 1, 3, 4, 6) and sigmas[0].unique().tolist() == [0.25, 0.5]


def test_a_token_is_not_half_known() -> None:
    start = torch.zeros(2, 4, 4)
    start[1, 3, 0] = 0.5
    canvas = blank_canvas(4, (2, 4, 4)).begin_from(draw(1, 4, 2, 4, 4), start).aligned((1, 2, 2))
    assert canvas.start[1, 2:, :2].eq(0.5).all() and canvas.start.sum() == 4 * 0.5


def test_what_does_not_fit_is_refused() -> None:
    canvas = blank_canvas(4, (3, 4, 6))
    for wrong in (draw(1, 4, 4, 4, 6), draw(1, 4, 1, 4, 4), draw(1, 3, 1, 4, 6)):
        with pytest.raises(UsageError, match="fit the canvas"):
            canvas.keep_prefix(wrong)
        with pytest.raises(UsageError, match="fit the canvas"):
            canvas.keep_suffix(wrong)
        with pytest.raises(UsageError, match="fit the canvas"):
            canvas.begin_from(wrong, 0.5)
