import numpy as np
import pytest

from worldloom.worlds.sight import HORIZON, on_floor, on_screen

VIEW = {"centre": [0.3, -0.2, 0.5], "distance": 4.0, "azimuth": 37.0, "elevation": -20.0, "fov": 40.0}


def test_the_floor_is_seen_where_it_is():
    screen = np.array([[0.0, -0.9], [0.7, -0.3], [-0.4, 0.2]])
    places = on_floor(VIEW, screen)
    assert places[:, 2] == pytest.approx(0, abs=1e-9)
    assert on_screen(VIEW, places) == pytest.approx(screen)


def test_above_the_horizon_is_far_away():
    view = VIEW | {"elevation": -5.0}
    place = on_floor(view, np.array([[0.1, 0.9]]))
    assert on_screen(view, place) == pytest.approx(np.array([[0.1, 0.9]]))
    assert HORIZON - 5 < np.linalg.norm(place) < HORIZON + 5
