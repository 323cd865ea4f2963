import numpy as np
import pytest

from worldloom.evaluate.sharpness import edge_sharpness, sharpness_kept


def bars(blur: int, contrast: float = 120.0) -> np.ndarray:
    """A picture of bars 12 pixels wide, averaged over `blur` pixels."""
    row = np.where(np.arange(48) // 12 % 2 == 0, 60.0, 60.0 + contrast)
    smooth = np.convolve(np.pad(row, blur, mode="edge"), np.ones(blur) / blur, mode="same")[blur:-blur]
    return np.repeat(np.tile(smooth, (32, 1))[..., None], 3, axis=-1).round().astype(np.uint8)


def everywhere(frames: int) -> np.ndarray:
    return np.ones((frames, 32, 48), bool)


@pytest.mark.parametrize(("blur", "expected"), [(1, 1 / 2), (4, 1 / 4), (8, 1 / 8)])
def test_a_slope_is_as_sharp_as_it_is_narrow(blur: int, expected: float) -> None:
    (value,) = edge_sharpness(bars(blur)[None], everywhere(1))
    assert value == pytest.approx(expected, rel=0.1)


def test_contrast_is_not_sharpness() -> None:
    strong, weak = edge_sharpness(np.stack([bars(4), bars(4, contrast=60.0)]), everywhere(2))
    assert strong == pytest.approx(weak, rel=0.05)


def test_what_has_no_edge_says_nothing() -> None:
    flat = np.full((1, 32, 48, 3), 90, np.uint8)
    assert np.isnan(edge_sharpness(flat, everywhere(1))).all()
    assert np.isnan(edge_sharpness(bars(1)[None], np.zeros((1, 32, 48), bool))).all()


def test_melting_shows_in_the_last_third() -> None:
    clip = np.stack([bars(1 + frame) for frame in range(9)])
    kept = sharpness_kept(edge_sharpness(clip, everywhere(9)))
    assert kept is not None and kept < 0.35
    assert sharpness_kept(edge_sharpness(clip[[0] * 9], everywhere(9))) == 1.0
    assert sharpness_kept(np.array([np.nan, np.nan, 0.5])) is None
