import numpy as np
import pytest

from worldloom.evaluate.quantities import arcs, bounces, fall_accelerations, first_rebound, momentum
from worldloom.evaluate.tracker import Track

FPS, SCALE = 16, 40.0  # pixels to the metre


def falling(restitution: float = 0.8, frames: int = 33, gravity: float = 9.81) -> Track:
    """A ball dropped from 1.2 m, exact to the frame's own time."""
    height, speed, y = 1.2, 0.0, []
    for step in range(frames * 100):
        if step % 100 == 0:
            y.append((1.5 - height) * SCALE)
        speed -= gravity / (FPS * 100)
        height += speed / (FPS * 100)
        if height < 0 and speed < 0:
            speed *= -restitution
    return Track(np.stack([np.full(frames, 20.0), y], 1), np.full(frames, 90.0), np.ones(frames, bool))


def test_gravity_is_read_from_every_flight() -> None:
    track = falling()
    found = fall_accelerations(track, 5, FPS, SCALE)
    assert len(found) >= 2 and found == pytest.approx([9.81] * len(found), rel=0.05)
    assert fall_accelerations(falling(gravity=4.9), 5, FPS, SCALE) == pytest.approx([4.9] * 2, rel=0.1)


def test_a_bounce_is_where_a_thing_turns_up_and_its_rise_is_measured() -> None:
    track = falling(0.7)
    first = bounces(track, 5)[0]
    assert first in (7, 8, 9)  # sqrt(2 * 1.2 / 9.81) s at 16 frames per second
    assert first_rebound(track, 5) == pytest.approx(1.2 * 0.7**2 * SCALE, rel=0.12)
    assert all(arc.start > first or arc.stop <= first for arc in arcs(track, 5))


def test_a_thing_that_lies_neither_flies_nor_bounces() -> None:
    still = Track(np.full((33, 2), 30.0), np.full(33, 90.0), np.ones(33, bool))
    assert fall_accelerations(still, 5, FPS, SCALE) == [] and first_rebound(still, 5) is None


def test_momentum_adds_up() -> None:
    frames = np.arange(10.0)
    ones = np.ones(10)
    left, right = (
        Track(np.stack([speed * frames, frames], 1), ones, ones.astype(bool)) for speed in (-1.0, 3.0)
    )
    assert momentum([left, right], 2, 8) == pytest.approx([2.0, 2.0])
