"""Sizes and rates are changed as little as possible, and at the model's own not at all."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldloom.generate.conform import (
    after_frames,
    before_frames,
    cover,
    pick,
    retime,
    stretch,
    to_frames,
    to_video,
)
from worldloom.generate.size import Size

rates = st.sampled_from(
    [Fraction(8), Fraction(16), Fraction(24), Fraction(30), Fraction(60), Fraction(30000, 1001)]
)


def noise(frames: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)


def test_pixels_survive_the_range() -> None:
    frames = noise(5, 8, 8)
    assert np.array_equal(to_frames(to_video(frames)), frames)


def test_equal_size_is_untouched() -> None:
    frames = noise(2, 16, 24)
    assert stretch(frames, Size(24, 16)) is frames


def test_stretch_keeps_flat_colour_and_count() -> None:
    frames = np.full((40, 16, 24, 3), (200, 30, 90), np.uint8)
    resized = stretch(frames, Size(33, 17))
    assert resized.shape == (40, 17, 33, 3)
    assert np.array_equal(np.unique(resized.reshape(-1, 3), axis=0), [[200, 30, 90]])


@pytest.mark.parametrize("size", [Size(32, 32), Size(48, 32), Size(32, 48)])
def test_cover_cuts_the_middle_out_undistorted(size: Size) -> None:
    frames = np.zeros((1, 60, 100, 3), np.uint8)
    frames[:, 20:40, 40:60] = 255  # a centred square stays a centred square
    covered = cover(frames, size)
    assert covered.shape[1:3] == (size.height, size.width)
    rows, columns = np.nonzero(covered[0, :, :, 0] > 127)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
    assert abs(rows.mean() - (size.height - 1) / 2) <= 0.5
    assert abs(columns.mean() - (size.width - 1) / 2) <= 0.5


@given(st.integers(1, 90), rates, st.booleans(), st.booleans())
def test_retime_never_goes_back_and_ends_in_time(
    count: int, fps: Fraction, before: bool, after: bool
) -> None:
    native = Fraction(16)
    indexes = retime(count, fps, native, before, after)
    assert len(indexes) == count
    assert min(indexes) >= 0 and indexes == sorted(indexes)
    painted = max(indexes) + 1
    assert abs(painted / native - count / fps) <= 1 / native + 1 / fps
    if fps == native:
        assert indexes == list(range(count))


def test_context_is_taken_at_the_models_rate() -> None:
    assert before_frames(3, Fraction(32), Fraction(16), available=10) == [5, 7, 9]
    assert after_frames(3, Fraction(32), Fraction(16), available=10) == [0, 2, 4]
    assert before_frames(9, Fraction(16), Fraction(16), available=4) == [0, 1, 2, 3]
    assert after_frames(9, Fraction(16), Fraction(16), available=4) == [0, 1, 2, 3]


def test_pick_streams() -> None:
    frames = noise(9, 2, 2)
    chunks = (frames[i : i + 4] for i in range(0, 9, 4))
    picked = np.concatenate(list(pick(chunks, [0, 0, 3, 4, 8])))
    assert np.array_equal(picked, frames[[0, 0, 3, 4, 8]])
