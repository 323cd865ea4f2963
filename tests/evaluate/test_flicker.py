import numpy as np
import pytest

from tests.evaluate.clips import noisy, rolling, still
from worldloom.evaluate.flicker import flicker, still_region, true_still_region


def test_a_static_clip_flickers_not_at_all() -> None:
    found = flicker(still(9))
    assert found.levels == 0.0 and found.still == 1.0


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_noise_of_known_strength_is_its_mean_deviation(sigma: float) -> None:
    found = flicker(noisy(still(17), sigma))
    # |x - (y + z) / 2| of normal values: sigma * sqrt(3 / 2) * sqrt(2 / pi); rounding to levels adds a little.
    expected = np.sqrt(1.5 * (sigma**2 + 1 / 12)) * np.sqrt(2 / np.pi)
    assert found.levels == pytest.approx(expected, rel=0.05)
    assert found.still > 0.9


def test_motion_is_no_flicker_and_is_left_out() -> None:
    clip = rolling(25, speed=1.5)
    region = still_region(clip)
    assert not region[26:39, 14:46].any()  # the disc's lane
    assert region[:6].all() and region[-6:].all()
    assert flicker(clip).levels == 0.0
    grainy = flicker(noisy(clip, 2.0))
    assert grainy.levels == pytest.approx(flicker(noisy(still(25), 2.0)).levels, rel=0.1)


def test_a_creeping_light_is_no_flicker() -> None:
    clip = (still(20) + np.linspace(0, 2.4, 20)[:, None, None, None]).round().astype(np.uint8)
    assert flicker(clip).levels < 0.15


def test_nothing_is_said_of_a_clip_that_moves_everywhere() -> None:
    clip = np.stack([np.roll(still(1)[0], 2 * step, axis=1) for step in range(8)])
    found = flicker(clip)
    assert found.levels is None and found.still < 0.05


def test_a_renderer_knows_where_nothing_moves() -> None:
    masks = np.zeros((3, 32, 32), np.uint8)
    masks[1, 10:12, 10:12] = 2
    region = true_still_region(masks, margin=4)
    assert not region[6:16, 6:16].any() and region[:6].all() and region[16:].all()
