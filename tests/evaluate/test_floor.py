import numpy as np
import pytest
import torch

from tests.evaluate.clips import floor, noisy, still
from worldloom.evaluate.floor import fit, floor_plane

SIDE = 96
TURN = np.array([[1.0, 0.02, -2.0], [-0.005, 1.01, 0.3], [0.0001, 0.0003, 1.0]])
"""Where the floor's points stand one frame later."""


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[..., :2] / mapped[..., 2:]


def turning(frames: int, swim: float = 0.0) -> np.ndarray:
    """A plane seen by a moving camera; with `swim` its texture sways by as many pixels, each place its own way."""
    large = torch.from_numpy(floor(2 * SIDE)).permute(2, 0, 1)[None].float()
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).astype(float)
    pictures = []
    for frame in range(frames):
        back = project(np.linalg.inv(np.linalg.matrix_power(TURN, frame)), grid)
        back += swim * np.sin(frame + grid[..., ::-1] / 6)
        pictures.append(_read(large, back + SIDE / 2))
    return np.stack(pictures)


def _read(picture: torch.Tensor, places: np.ndarray) -> np.ndarray:
    size = picture.shape[-1]
    points = torch.from_numpy((places + 0.5) * 2 / size - 1).float()[None]
    read = torch.nn.functional.grid_sample(picture, points, align_corners=False)
    return read[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def test_a_homography_is_recovered_among_outliers() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (200, 2))
    moved = project(TURN, points)
    moved[:50] += rng.normal(0, 8, (50, 2))  # a thing that goes its own way
    found = fit(points, moved)
    assert np.abs(project(found, points) - project(TURN, points)).max() < 0.1


def test_a_plane_stays_a_plane() -> None:
    plane = floor_plane(turning(9))
    assert plane.residual is not None and plane.motion is not None
    assert plane.residual < 0.15
    expected = project(np.linalg.matrix_power(TURN, 4), np.array([[48.0, 72.0]])) - [48.0, 72.0]
    assert plane.motion == pytest.approx(np.linalg.norm(expected), rel=0.25)


def test_swimming_texture_is_off_the_plane() -> None:
    swimming, steady = floor_plane(turning(9, swim=1.2)), floor_plane(turning(9))
    assert swimming.residual is not None and steady.residual is not None
    assert swimming.residual > 3 * steady.residual and swimming.residual > 0.4


def test_a_flat_floor_says_nothing() -> None:
    plane = floor_plane(np.full((9, SIDE, SIDE, 3), 120, np.uint8))
    assert plane.residual is None and plane.cells == 0


def test_a_still_camera_moves_nothing() -> None:
    plane = floor_plane(noisy(still(9, side=SIDE), 1.0))
    assert plane.motion is not None and plane.motion < 0.3
