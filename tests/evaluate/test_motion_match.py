import numpy as np
import pytest

from worldloom.evaluate.motion_match import Match, match, moving, score


def sliding(speed: int, frames: int = 8) -> np.ndarray:
    clip = np.full((frames, 32, 48, 3), 90, np.uint8)
    for frame in range(frames):
        clip[frame, 12:20, 4 + speed * frame : 12 + speed * frame] = (220, 40, 40)
    return clip


def test_the_same_clip_matches_wholly_and_a_frozen_one_not_at_all() -> None:
    truth = sliding(3)
    assert match(truth, truth) == Match(1.0, 1.0, 1.0, 0.0)
    frozen = match(np.repeat(truth[:1], 8, axis=0), truth)
    assert (frozen.spatial, frozen.spatiotemporal, frozen.weighted) == (0, 0, 0) and frozen.mse > 0


def test_where_and_when_are_told_apart() -> None:
    truth = sliding(3)
    late = np.concatenate([truth[:1], truth[:-1]])  # the same way, one frame later
    found = match(late, truth)
    assert found.spatial > 0.8 > found.spatiotemporal


def test_motion_is_where_pixels_change_and_grain_is_none() -> None:
    rng = np.random.default_rng(0)
    truth = sliding(3)
    grainy = np.clip(truth + rng.normal(0, 8, truth.shape), 0, 255).astype(np.uint8)
    assert moving(truth).any(0)[10:22].any() and not moving(truth)[:, :8].any()
    assert not moving(grainy)[:, :8].any()


def test_a_second_run_scores_all_and_a_frozen_clip_nothing() -> None:
    truth, again = sliding(3), sliding(2)
    rerun = match(again, truth)
    assert 0 < rerun.spatiotemporal < 1
    assert score([rerun], [rerun]) == pytest.approx(1.0)
    assert score([match(np.repeat(truth[:1], 8, axis=0), truth)], [rerun]) == pytest.approx(0.0, abs=0.01)
    # A share of one half in each IoU, and squared error 0.1 above the second run's.
    assert score([Match(0.3, 0.2, 0.1, 0.15)], [Match(0.6, 0.4, 0.2, 0.05)]) == pytest.approx(0.4)


def test_where_nothing_moves_nothing_moving_is_right() -> None:
    still = np.repeat(sliding(3)[:1], 8, axis=0)
    assert match(still, still).spatiotemporal == 1.0 and match(sliding(3), still).spatiotemporal == 0.0
