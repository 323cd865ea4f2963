"""What is opt-in: steps told from others, guidance at some noise levels or on what is given, and cooler noise."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from tests import tiny
from worldloom.dit.config import TransformerConfig
from worldloom.generate.clip import Clip
from worldloom.generate.denoise import Denoiser, Expert, History
from worldloom.generate.request import check_style
from worldloom.generate.size import Size
from worldloom.generate.stream import Stream

PROMPT = "a red ball bounces on a wooden floor"
REQUEST = {"num_frames": 9, "size": (32, 32), "seed": 3, "steps": 12, "guidance": 3.0}


@pytest.fixture(scope="module")
def stream() -> Stream:
    """Random weights whose velocities are small and hear little of the noise level, so that they change slowly."""
    engine = tiny.engine()
    engine.transformer.proj_out.weight.mul_(0.25)
    engine.transformer.condition_embedder.time_proj.weight.mul_(0.1)
    return Stream(engine)


@pytest.fixture(scope="module", name="full")
def _full(stream: Stream) -> np.ndarray:
    return stream.generate(PROMPT, **REQUEST).clip().frames


def test_reused_steps_are_counted_and_recorded(stream: Stream, full: np.ndarray) -> None:
    stream.engine.reused.clear()
    clip = stream.generate(PROMPT, reuse=0.5, **REQUEST).clip()
    (reused,) = stream.engine.reused
    assert reused.calls == 12 and 3 <= reused.evaluations < 12
    assert np.isfinite(reused.decibels) and clip.settings["reuse"] == 0.5
    assert not np.array_equal(clip.frames, full)


def test_a_threshold_that_nothing_stays_under_changes_nothing(stream: Stream, full: np.ndarray) -> None:
    stream.engine.reused.clear()
    assert np.array_equal(stream.generate(PROMPT, reuse=1e-9, **REQUEST).clip().frames, full)
    assert stream.engine.reused == [(12, 12, float("inf"))]


def test_guidance_range_spans_from_no_guidance_to_all(stream: Stream, full: np.ndarray) -> None:
    def paint(**how) -> np.ndarray:
        return stream.generate(PROMPT, **{**REQUEST, **how}).clip().frames

    assert np.array_equal(paint(guidance_range=(0.0, 1.0)), full)
    none = paint(guidance_range=(0.0, 0.0))
    assert np.abs(none.astype(int) - paint(guidance=1.0)).max() <= 1
    some = paint(guidance_range=(0.5, 0.9))
    assert not np.array_equal(some, full) and not np.array_equal(some, none)


def test_temperature_scales_the_noise_and_is_recorded(stream: Stream, full: np.ndarray) -> None:
    def paint(temperature: float, seed: int = 3) -> Clip:
        return stream.generate(PROMPT, **{**REQUEST, "seed": seed, "temperature": temperature}).clip()

    assert np.array_equal(paint(1.0).frames, full)
    cool = paint(0.5)
    assert cool.settings["temperature"] == 0.5 and not np.array_equal(cool.frames, full)
    # without noise nothing is left of the seed
    assert np.array_equal(paint(0.0).frames, paint(0.0, seed=4).frames)
    assert not np.array_equal(cool.frames, paint(0.5, seed=4).frames)


def test_epsilon_scale_counts_where_nothing_is_given_and_is_recorded(
    stream: Stream, full: np.ndarray
) -> None:
    def paint(scale: float, image: np.ndarray | None = None) -> Clip:
        return stream.generate(PROMPT, image=image, **{**REQUEST, "epsilon_scale": scale}).clip()

    assert np.array_equal(paint(1.0).frames, full)
    calm = paint(1.2)
    assert calm.settings["epsilon_scale"] == 1.2 and not np.array_equal(calm.frames, full)
    assert np.array_equal(paint(1.2, full[0]).frames, paint(1.0, full[0]).frames)


class Witness:
    """Answers with what it is shown, and remembers it and the levels."""

    config = TransformerConfig(48, 2, 1, 96, 32, patch_size=(1, 2, 2))

    def __call__(self, shown: torch.Tensor, levels: torch.Tensor, context: object) -> torch.Tensor:
        self.shown, self.levels = shown, levels
        return shown


class Words:
    batch = 2


def test_history_is_hidden_from_the_branch_without_words() -> None:
    noisy, noise = torch.randn(2, 1, 3, 3, 4, 4)
    known = torch.zeros(3, 4, 4, dtype=torch.bool)
    known[0], known[2, :2] = True, True
    levels = torch.full((1, 1, 3, 4, 4), 0.6).masked_fill(known, 0.0)
    levels[0, 0, 1, :, 2:] = 0.8
    witness = Witness()
    denoiser = Denoiser((Expert(witness, Words()),), 0.0, 3.0, history=History(known, noise))
    answer = denoiser(noisy, levels)
    sees, hears_nothing = witness.shown
    assert torch.equal(sees, noisy[0])
    assert torch.equal(hears_nothing[:, ~known], noisy[0][:, ~known])
    torch.testing.assert_close(hears_nothing[:, known], (0.2 * noisy + 0.8 * noise)[0][:, known])
    tokens = known[:, ::2, ::2]
    assert torch.equal(witness.levels[0], levels[0, 0, :, ::2, ::2])
    assert (witness.levels[1][tokens] == 0.8).all()
    assert torch.equal(witness.levels[1][~tokens], witness.levels[0][~tokens])
    torch.testing.assert_close(answer[0], hears_nothing + 3.0 * (sees - hears_nothing))


def test_history_guidance_moves_what_is_painted_beside_given_frames_alone(
    stream: Stream, full: np.ndarray
) -> None:
    def extend(**how: float) -> Clip:
        request = {name: value for name, value in REQUEST.items() if name != "size"}
        return stream.extend(Clip(full, Fraction(16)), **{**request, **how}).clip()

    assert np.array_equal(stream.generate(PROMPT, history_guidance=2.0, **REQUEST).clip().frames, full)
    plain, guided, more = (extend(history_guidance=scale).frames for scale in (0.0, 2.0, 4.0))
    for clip in (plain, guided, more):
        assert np.array_equal(clip[: len(full)], full)
    assert not np.array_equal(plain, guided) and not np.array_equal(guided, more)
    assert extend(history_guidance=2.0).settings["history_guidance"] == 2.0
    # without guidance there is no branch to hide anything from
    assert np.array_equal(*(extend(guidance=1.0, history_guidance=s).frames for s in (0.0, 2.0)))


def test_history_guidance_leaves_alone_what_is_all_given(stream: Stream) -> None:
    engine = stream.engine
    style = check_style(engine.card, PROMPT, seed=3, steps=2, guidance=3.0, history_guidance=2.0)
    blank = engine.canvas(Size(32, 32), 9)
    given = blank.begin_from(torch.randn(blank.latents.shape), 0.0)
    assert torch.equal(engine.paint(given, engine.read(style), style), given.latents)
