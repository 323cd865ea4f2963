import numpy as np

from tests.evaluate.clips import still
from worldloom.evaluate.rim import rim_contrast
from worldloom.generate.region import blend


def box(frames: int, side: int = 64) -> np.ndarray:
    region = np.zeros((frames, side, side), bool)
    region[:, 18:46, 18:46] = True
    return region


def test_an_untouched_clip_shows_no_rim() -> None:
    value = rim_contrast(still(3), box(3))
    assert value is not None and 0.75 < value < 1.3


def test_a_brighter_inside_shows_its_rim() -> None:
    clip = still(3)
    clip[box(3)] = (clip[box(3)] * 0.5).astype(np.uint8)
    hard = rim_contrast(clip, box(3))
    soft = rim_contrast(blend(still(3), (still(3) * 0.5).astype(np.uint8), box(3)), box(3))
    assert hard is not None and soft is not None and soft > 1.2
    assert hard > 1.5


def test_a_region_up_to_the_edge_has_a_rim_inside_the_picture_only() -> None:
    region = np.zeros((2, 64, 64), bool)
    region[:, :, :32] = True
    assert rim_contrast(still(2), region) is not None
    assert rim_contrast(still(2), np.ones((2, 64, 64), bool)) is None
