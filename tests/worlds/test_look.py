"""Looks vary, are independent of physics, and cameras do what their names say."""

import numpy as np
import pytest

from worldloom.worlds.camera import camera_path
from worldloom.worlds.look import (
    CAMERA_MOVES,
    COLOURS,
    FLOORS,
    MATERIALS,
    MOODS,
    Look,
    draw_look,
    draw_paints,
)
from worldloom.worlds.scene import Framing
from worldloom.worlds.texture import SIZE, texture


def look(move: str) -> Look:
    return Look("wooden", "noon", move, 0.0, 0.0, 1.0, 7)


def test_there_is_the_variety_of_the_contract() -> None:
    assert len(COLOURS) >= 10 and len(MATERIALS) >= 8 and len(FLOORS) >= 8
    assert len(MOODS) >= 5 and len(CAMERA_MOVES) >= 8


def test_draws_reach_everything() -> None:
    looks = [draw_look(np.random.default_rng(seed)) for seed in range(400)]
    assert {one.floor for one in looks} == set(FLOORS)
    assert {one.mood for one in looks} == set(MOODS)
    assert {one.camera_move for one in looks} == set(CAMERA_MOVES)


def test_paints_are_of_distinct_colours() -> None:
    paints = draw_paints(np.random.default_rng(0), 5, avoid=("red",))
    assert len({paint.colour for paint in paints}) == 5
    assert "red" not in {paint.colour for paint in paints}
    with pytest.raises(ValueError, match="distinct colours"):
        draw_paints(np.random.default_rng(0), 99)


@pytest.mark.parametrize(
    ("move", "measure"),
    [
        ("orbit_right", lambda a, b: b.azimuth > a.azimuth),
        ("orbit_left", lambda a, b: b.azimuth < a.azimuth),
        ("push_in", lambda a, b: b.distance < a.distance),
        ("pull_out", lambda a, b: b.distance > a.distance),
        ("pan_right", lambda a, b: b.centre[0] > a.centre[0]),
        ("pan_left", lambda a, b: b.centre[0] < a.centre[0]),
        ("crane_up", lambda a, b: b.elevation < a.elevation),
        ("crane_down", lambda a, b: b.elevation > a.elevation),
        ("handheld", lambda a, b: a != b),
        ("still", lambda a, b: a == b),
    ],
)
def test_camera_moves_as_named(move: str, measure) -> None:  # type: ignore[no-untyped-def]
    path = camera_path(Framing((0, 0, 1), 2.0, 2.0), look(move), 128, 128, 17, 16)
    assert measure(path[0], path[-1])


def test_the_action_fits_every_shape_of_picture() -> None:
    framing = Framing((0, 0, 1), width=3.0, height=1.0)
    wide, tall = (camera_path(framing, look("still"), w, h, 1, 16)[0] for w, h in ((160, 96), (96, 160)))
    assert tall.distance > wide.distance


@pytest.mark.parametrize("floor", FLOORS.values(), ids=list(FLOORS))
def test_floor_textures_tile_and_are_not_flat(floor) -> None:  # type: ignore[no-untyped-def]
    picture = texture(floor.texture)
    assert picture.shape == (SIZE, SIZE, 3) and picture.std() > 3
