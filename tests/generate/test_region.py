"""Masks free every cell they touch, and no pixel outside them changes."""

import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.generate.region import blend, free_cells, read_region
from worldloom.generate.size import Size


def test_a_cell_with_one_free_pixel_is_free() -> None:
    region = np.zeros((9, 32, 48), bool)
    region[6, 9, 17] = True
    cells = free_cells(region, (3, 4, 6), stride=4)
    assert cells.sum() == 1 and cells[2, 1, 2] == 1  # frames 5 to 8 are latent frame 2


def test_outside_the_region_the_source_stays_to_the_bit() -> None:
    draw = np.random.default_rng(0)
    source, edit = draw.integers(0, 256, (2, 3, 32, 32, 3), np.uint8)
    region = np.zeros((3, 32, 32), bool)
    region[:, 8:24, 8:24] = True
    mixed = blend(source, edit, region)
    assert np.array_equal(mixed[~region], source[~region])
    assert np.array_equal(mixed[:, 12:20, 12:20], edit[:, 12:20, 12:20])  # past the rim it is the edit
    assert not np.array_equal(mixed[:, 8, 8:24], edit[:, 8, 8:24])  # on the rim it is a mixture


def test_the_frames_edge_is_no_rim() -> None:
    draw = np.random.default_rng(0)
    source, edit = draw.integers(0, 256, (2, 1, 16, 16, 3), np.uint8)
    assert np.array_equal(blend(source, edit, np.ones((1, 16, 16), bool)), edit)


@pytest.mark.parametrize(
    ("shape", "value", "says"),
    [((1, 16, 32), 255, "32x16"), ((5, 32, 32), 255, "5 frames"), ((1, 32, 32), 0, "frees no pixel")],
)
def test_wrong_masks(shape: tuple[int, int, int], value: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_region(np.full((*shape, 3), value, np.uint8), Size(32, 32), num_frames=9)


def test_a_still_mask_holds_for_every_frame() -> None:
    mask = np.zeros((1, 32, 32, 3), np.uint8)
    mask[:, :4] = 255
    region = read_region(mask, Size(32, 32), num_frames=9)
    assert region.shape == (9, 32, 32) and region[:, :4].all() and not region[:, 4:].any()
