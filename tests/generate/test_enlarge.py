"""Footage at sizes the model does not paint."""

from fractions import Fraction

import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.generate.clip import Footage
from worldloom.generate.enlarge import count_doublings, enlarge, native_for
from worldloom.generate.size import Size

TRAINED = (Size(128, 128), Size(160, 96), Size(96, 160))


def footage(frames: np.ndarray, parts: list[int]) -> Footage:
    size = Size(frames.shape[2], frames.shape[1])
    chunks = iter(np.split(frames, np.cumsum(parts)[:-1]))
    return Footage(size, Fraction(16), len(frames), {"size": str(size), "seed": 3}, chunks)


@pytest.fixture
def frames() -> np.ndarray:
    ramp = np.linspace(20, 230, 32 * 24).reshape(24, 32)
    return np.stack([np.stack([ramp, ramp[::-1], ramp * 0 + 90], -1) + i for i in range(6)]).astype(np.uint8)


@pytest.mark.parametrize("upsampler", ["lanczos", "tiny"])
def test_size_frames_and_record(frames, upsampler):
    larger = enlarge(footage(frames, [6]), Size(120, 80), upsampler)
    clip = larger.clip()
    assert clip.frames.shape == (6, 80, 120, 3) and larger.settings["seed"] == 3
    assert larger.settings["size"] == "120x80" and larger.settings["painted_size"] == "32x24"
    assert abs(clip.frames.mean() - frames.mean()) < 3


@pytest.mark.parametrize("upsampler", ["lanczos", "tiny"])
def test_how_it_arrives_does_not_matter(frames, upsampler):
    one, many = (
        enlarge(footage(frames, parts), Size(90, 60), upsampler).clip() for parts in ([6], [1, 3, 2])
    )
    assert np.abs(one.frames.astype(int) - many.frames).max() <= 1


def test_the_size_it_has_is_left_alone(frames):
    same = footage(frames, [6])
    assert enlarge(same, Size(32, 24), "tiny") is same


def test_the_native_size_of_nearly_the_shape_is_painted():
    assert native_for(Size(1920, 1080), TRAINED) == Size(160, 96)
    assert native_for(Size(1080, 1920), TRAINED) == Size(96, 160)
    with pytest.raises(UsageError, match="of 160x96, the nearest, 44% would be cut"):
        native_for(Size(900, 300), TRAINED)


def test_doublings_leave_less_than_one_more():
    assert [count_doublings(Size(160, 96), Size(w, w * 3 // 5)) for w in (160, 200, 320, 640, 1280, 1920)] == [
        0, 0, 1, 2, 3, 3,
    ]  # fmt: skip
