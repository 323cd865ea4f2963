from pathlib import Path

import numpy as np
import pytest

from worldloom.data.manifest import Manifest, Sample
from worldloom.training import subjects
from worldloom.training.subjects import SPREAD, MovingThings, Subjects, paths
from worldloom.worlds.render import film
from worldloom.worlds.stage import set_stage


def sample(width, height, frames):
    return Sample("000000", Path("folder"), "0.tar", "bounce", 1, width, height, frames, 16.0, False)


def take(family, seed, width, height, frames):
    stage = set_stage(family, seed, width=width, height=height, num_frames=frames, supersample=1)
    shot = film(stage, width, height, supersample=1, masks=True)
    return stage.truth(), shot.masks


@pytest.mark.parametrize(
    ("family", "width", "height"), [("bounce", 128, 128), ("billiards", 160, 96), ("drive", 96, 160)]
)
def test_centres_lie_in_the_masks(family, width, height):
    """Of whatever is seen whole: a thing half hidden or cut off has its centre elsewhere."""
    truth, masks = take(family, 5, width, height, 9)
    found = paths(truth, sample(width, height, 9))
    distances = []
    for value in range(1, len(truth["objects"]) + 1):
        for frame, mask in enumerate(masks == value):
            rows, columns = np.nonzero(mask)
            if len(rows) < 20 or not (rows.min() > 0 and rows.max() < height - 1):
                continue
            row, column = found[frame, value - 1] * (height, width)
            inside = (
                rows.min() - 2 <= row <= rows.max() + 2 and columns.min() - 2 <= column <= columns.max() + 2
            )
            distances.append(inside)
    assert len(distances) >= 9 and np.mean(distances) > 0.95


def test_tokens_with_things_stand_out(monkeypatch):
    own = np.full((9, 2, 2), np.nan, np.float32)
    own[:, 0] = 0.5625, 0.1875  # the middle of the token in row 4, column 1, of 8 x 8
    own[5, 0] = 0.0625, 0.9375
    clips = Subjects.__new__(Subjects)
    clips.paths = [own]
    shown = clips.shown(0, 9, (3, 8, 8))
    assert shown.shape == (3, 8, 8) and shown[0, 4, 1] == pytest.approx(1) and shown[0, 0, 7] < 1e-6
    assert shown[1, 4, 1] == pytest.approx(1) and shown[1, 0, 7] < 1e-6
    assert shown[2, 0, 7] == pytest.approx(1) and shown[2, 4, 1] == pytest.approx(1)
    assert 0.3 < shown[0, 4, 2] < 0.6
    assert clips.shown(0, 1, (1, 8, 8)).equal(shown[:1])


def test_pixels_near_a_thing_that_moves_stand_out():
    things = MovingThings.__new__(MovingThings)
    things.samples = (sample(160, 100, 3),)
    path = np.full((3, 2, 2), np.nan, np.float32)
    path[:, 0] = [(0.305, 0.5), (0.405, 0.5), (0.505, 0.5)]
    things.paths = [path]
    near = things.near(0, (slice(1, 3), slice(20, 70), slice(60, 120)))
    assert near.shape == (2, 50, 60) and near.dtype == np.float32
    assert np.unravel_index(near[0].argmax(), (50, 60))[0] == 20
    assert near[1, 30].max() == pytest.approx(1, abs=0.01)
    assert near[1, 30 - round(100 * SPREAD)].max() == pytest.approx(np.exp(-0.5), abs=0.02)
    assert near[:, :, 58].max() < 0.02


def test_what_stands_still_is_no_thing_that_moves(monkeypatch):
    truth, _ = take("basketball", 3, 128, 128, 5)
    monkeypatch.setattr(subjects, "_truths", lambda manifest: [truth])
    things = MovingThings(Manifest((sample(128, 128, 5),)))
    moving = sum(thing["moving"] for thing in truth["objects"])
    assert things.paths[0].shape == (5, moving, 2) and moving < len(truth["objects"])


def test_every_sample_of_a_manifest_has_its_paths(monkeypatch):
    truth, _ = take("bounce", 3, 128, 128, 5)

    class Dataset:
        def __init__(self, manifest):
            pass

        def meta(self, index):
            return {"truth": truth}

        def close(self):
            pass

    monkeypatch.setattr(subjects, "ClipDataset", Dataset)
    clips = Subjects(Manifest((sample(128, 128, 5), sample(160, 96, 5))))
    square, wide = clips.paths
    assert square.shape == (5, len(truth["objects"]), 2)
    assert np.allclose(wide[..., 1] - 0.5, (square[..., 1] - 0.5) * 96 / 160, atol=1e-6)
    assert [views.shape for views in clips.views] == [(5, 7), (5, 7)]


def filmed(move, family="bounce"):
    """The subjects of one take of 9 frames, 128x128, with a camera move."""
    number = next(n for n in range(500) if set_stage(family, n, num_frames=9).look.camera_move == move)
    truth, _ = take(family, number, 128, 128, 9)
    clips = Subjects.__new__(Subjects)
    clips.paths = [paths(truth, sample(128, 128, 9))]
    clips.views = [
        np.array([[*view["centre"], *(view[key] for key in subjects.VIEW)] for view in truth["camera"]])
    ]
    return clips


def test_things_go_where_their_centres_go_and_the_floor_stays():
    clips = filmed("still")
    moved, shown = clips.moved(0, 9, (3, 8, 8)), clips.shown(0, 9, (3, 8, 8))
    assert moved.shape == (3, 8, 8, 2) and moved[shown < 0.4].abs().max() < 1e-4
    centres = clips.paths[0][:, 0] * 8
    row, column = centres[8].astype(int)
    assert moved[2, row, column].numpy() == pytest.approx(centres[8] - centres[4], abs=1e-4)
    assert clips.moved(0, 1, (1, 8, 8)).abs().max() < 1e-9


@pytest.mark.parametrize(("move", "axis", "sign"), [("pan_right", 1, -1), ("pan_left", 1, 1)])
def test_a_pan_carries_the_floor_the_other_way(move, axis, sign):
    clips = filmed(move)
    moved, shown = clips.moved(0, 9, (3, 8, 8)), clips.shown(0, 9, (3, 8, 8))
    floor = moved[:, 6:][shown[:, 6:] < 0.1]
    assert (sign * floor[:, axis] > 0.05).all() and floor[:, 1 - axis].abs().max() < 0.05
