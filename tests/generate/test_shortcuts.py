"""What is opt-in: steps told from others, guidance at some noise levels only, and noise of another temperature."""

import numpy as np
import pytest

from tests import tiny
from worldloom.generate.clip import Clip
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
