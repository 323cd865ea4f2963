import numpy as np
import pytest

from tests.evaluate.clips import rolling, still
from worldloom.evaluate.seam import brightness_steps, find_seams
from worldloom.generate.dissolve import changes


def test_smooth_motion_has_no_seam() -> None:
    (seam,) = find_seams(rolling(20), [10])
    assert seam.frame == 10 and 0.7 < seam.difference < 1.3
    assert seam.jump < 2.5 and seam.brightness < 0.002


def test_a_cut_is_a_seam() -> None:
    clip = np.concatenate([rolling(10), still(10, seed=5)])
    (seam,) = find_seams(clip, [10])
    assert seam.difference > 3 and seam.jump > 3


def test_a_jump_of_speed_is_seen_by_the_flow_and_not_by_the_difference() -> None:
    # The disc turns round: the picture changes as much as before, the motion does not.
    there = rolling(11, speed=2.0)
    clip = np.concatenate([there, there[-2::-1]])
    (seam,) = find_seams(clip, [10])
    smooth = find_seams(rolling(21, speed=2.0), [10])[0]
    assert 0.7 < seam.difference < 1.3
    assert seam.jump > 1.7 * smooth.jump


def test_a_step_in_brightness_is_its_share_of_the_mean() -> None:
    clip = still(12).astype(float)
    clip[6:] *= 1.05
    (seam,) = find_seams(clip.round().astype(np.uint8), [6])
    assert seam.brightness == pytest.approx(0.05 / 1.025, rel=0.03)
    assert seam.difference > 3
    fade = (still(12) * np.linspace(1, 1.5, 12)[:, None, None, None]).clip(0, 255).astype(np.uint8)
    assert find_seams(fade, [6])[0].brightness < 0.002  # a steady fade is no step


def test_a_still_clip_has_no_seam_at_all() -> None:
    (seam,) = find_seams(still(8), [4])
    assert (seam.difference, seam.jump, seam.brightness) == (0.0, 0.0, 0.0)


def test_a_loop_joins_its_end_to_its_beginning() -> None:
    swing = 12 + 10 * np.sin(2 * np.pi * np.arange(24) / 24)
    circle = np.concatenate([rolling(1, start=start) for start in swing])
    assert find_seams(circle, [0, 12], loop=True)[0].difference < 1.7
    assert find_seams(circle[:12], [0], loop=True)[0].difference < 1.7  # half a swing ends where it began
    broken = rolling(16, speed=2.0)
    assert find_seams(broken, [0], loop=True)[0].difference > 3


def test_measures_have_their_units() -> None:
    clip = still(3)
    clip[1:] += 3
    assert changes(clip).tolist() == [3, 0]
    assert brightness_steps(clip)[1] == 0


def test_refuses_a_join_outside_the_clip() -> None:
    with pytest.raises(ValueError, match="not inside"):
        find_seams(still(6), [6])
    with pytest.raises(ValueError, match="not inside"):
        find_seams(still(6), [0])
