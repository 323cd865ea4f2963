"""Later canvases vary no more than the opening, around a mean drawn towards its own; known frames stay."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.generate.conftest import moving_clip
from worldloom.generate.canvas import Canvas
from worldloom.generate.engine import Engine
from worldloom.generate.journal import Journal
from worldloom.generate.layout import Painter, Surroundings, grow
from worldloom.generate.look import MOST, PULL, Regulator, contrast_of, look_of, sharpness_of
from worldloom.generate.request import check_style
from worldloom.generate.size import Size

ALL = torch.ones(4, dtype=torch.bool)


@pytest.fixture
def opening() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    slope = torch.linspace(-2, 2, 12).view(1, 1, 1, 1, 12)
    return (
        torch.randn(1, 3, 4, 10, 12, generator=generator)
        + slope
        + torch.tensor([1.0, 0, -1]).view(1, 3, 1, 1, 1)
    )


def test_the_opening_itself_is_left_alone(opening: Tensor) -> None:
    assert torch.allclose(look_of(opening).hold(opening, ALL), opening, atol=1e-5)


def test_detail_that_grew_is_taken_back_and_form_stays(opening: Tensor) -> None:
    look = look_of(opening)
    generator = torch.Generator().manual_seed(1)
    grown = opening + 1.5 * torch.randn(opening.shape, generator=generator)
    held = look_of(look.hold(grown, ALL))
    assert bool((look_of(grown).detail > 1.3 * look.detail).all())
    # averages of fine grain fall into form as well, so a little is left
    assert bool((held.detail < 1.05 * look.detail).all())
    assert bool((held.form > 0.9 * look.form).all())


def test_what_became_calmer_is_not_blown_up(opening: Tensor) -> None:
    look = look_of(opening)
    calm = look.mean + 0.5 * (opening - look.mean)
    assert torch.allclose(look.hold(calm, ALL), calm, atol=1e-5)


def test_a_mean_that_wandered_comes_back_by_a_share(opening: Tensor) -> None:
    look = look_of(opening)
    held = look_of(look.hold(opening + 2.0, ALL))
    assert torch.allclose(held.mean - look.mean, torch.full_like(look.mean, 2.0 * (1 - PULL)), atol=1e-4)


def noise(contrast: float) -> np.ndarray:
    grain = np.random.default_rng(0).uniform(-1, 1, (2, 24, 24, 3))
    return (128 + 100 * contrast * grain).round().astype(np.uint8)


def test_frames_that_grew_soft_or_sharp_are_answered_in_the_next_canvas(opening: Tensor) -> None:
    assert sharpness_of(noise(0.25)) == pytest.approx(sharpness_of(noise(0.5)) / 2, rel=0.02)
    assert contrast_of(noise(0.25)) == pytest.approx(contrast_of(noise(0.5)) / 2, rel=0.02)
    assert contrast_of(noise(0.5) // 2 + 60) == pytest.approx(contrast_of(noise(0.5)) / 2, rel=0.02)
    assert Regulator(20.0).after(20.0) == 1
    assert 1.05 < Regulator(20.0).after(18.0) < Regulator(20.0).after(4.0) == pytest.approx(math.exp(MOST))
    assert Regulator(20.0).after(40.0) == pytest.approx(math.exp(-MOST))
    assert Regulator(20.0).after(0.0) == Regulator(0.0).after(20.0) == 1
    look = look_of(opening)
    sharper = look_of(replace(look, more_detail=1.1).hold(opening, ALL))
    assert torch.allclose(sharper.detail, 1.1 * look.detail, rtol=0.02)
    assert torch.allclose(sharper.form, look.form, rtol=0.1)
    stronger = look_of(replace(look, more_form=1.1).hold(opening, ALL))
    assert torch.allclose(stronger.form, 1.1 * look.form, rtol=0.02)
    assert torch.allclose(stronger.mean, look.mean, atol=0.05)


@pytest.mark.parametrize("gain", [0.95, 1.05])
def test_a_model_that_sharpens_or_softens_each_canvas_is_balanced(gain: float) -> None:
    sharpness, regulator = 20.0, Regulator(20.0)
    for _ in range(40):
        sharpness *= gain * regulator.after(sharpness)
    assert sharpness == pytest.approx(20.0, rel=0.02)


@pytest.mark.parametrize("given", [0, 9])
def test_later_canvases_are_held_to_the_opening_and_the_first_is_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, given: int
) -> None:
    """A sampler that paints ever coarser grain, and a model that shows what it makes of it."""
    painted: list[Tensor] = []
    shown: list[Tensor] = []
    decode = Engine.decode

    def paint(self: Engine, canvas: Canvas, *rest: object) -> Tensor:
        generator = torch.Generator().manual_seed(len(painted))
        grain = (1 + len(painted)) * torch.randn(canvas.latents.shape, generator=generator)
        painted.append(torch.where(canvas.known, canvas.latents, grain))
        return painted[-1]

    monkeypatch.setattr(Engine, "paint", paint)
    monkeypatch.setattr(
        Engine, "decode", lambda self, latents: shown.append(latents) or decode(self, latents)
    )
    before = moving_clip(9).frames[:given]
    painter = Painter(
        engine, check_style(engine.card, "a box", steps=1, guidance=1.0), Size(32, 32), Journal()
    )
    frames = list(grow(painter, Surroundings(before, before[:0]), 40))
    assert sum(map(len, frames)) == 40 and len(painted) >= 3
    assert torch.equal(shown[0], painted[0])
    for raw, held in zip(painted[1:], shown[1:], strict=True):
        assert look_of(held).detail.mean() < 0.7 * look_of(raw).detail.mean()
