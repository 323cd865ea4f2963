import numpy as np
import pytest

from worldloom.evaluate.rerun import GIVEN, run
from worldloom.evaluate.tracker import centroid, paths_of, track


def discs(frames: int = 20, hide: slice | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A red and a blue disc cross a shaded floor, the red one behind a grey board where `hide` says."""
    clip = np.tile(np.linspace(90, 140, 96).astype(np.uint8)[None, None, :, None], (frames, 64, 1, 3))
    masks = np.zeros((frames, 64, 96), np.uint8)
    rows, columns = np.mgrid[:64, :96]
    for frame in range(frames):
        for number, (x, y, colour) in enumerate(
            ((8 + 4 * frame, 20, (210, 40, 40)), (88 - 4 * frame, 44, (40, 60, 210))), 1
        ):
            inside = np.hypot(columns - x, rows - y) <= 6
            clip[frame][inside], masks[frame][inside] = colour, number
        if hide is not None:
            clip[frame, :32, hide] = (60, 60, 60)
            masks[frame, :32, hide] = 0
    return clip, masks


def test_follows_two_discs_to_a_pixel() -> None:
    clip, masks = discs()
    for number, found in track(clip, masks[:5], [1, 2]).items():
        true = paths_of(masks, number)
        assert found.seen.all() and np.abs(found.path - true.path).max() < 1.0


def test_a_hidden_disc_is_unseen_and_found_again() -> None:
    clip, masks = discs(hide=slice(40, 60))
    found, true = track(clip, masks[:5], [1])[1], paths_of(masks, 1)
    hidden = np.flatnonzero(true.area == 0)
    assert len(hidden) >= 2 and not found.seen[hidden].any()
    assert found.seen[-2:].all() and np.hypot(*(found.path[-1] - true.path[-1])) < 1.5


def test_a_disc_that_is_erased_is_not_seen() -> None:
    clip, masks = discs()
    clip[10:] = clip[0, 32:33, :1]
    assert not track(clip, masks[:5], [1])[1].seen[12:].any()


def test_what_is_too_small_is_not_tracked() -> None:
    masks = np.zeros((5, 16, 16), np.uint8)
    masks[:, 2:4, 2:4] = 1
    assert track(np.zeros((8, 16, 16, 3), np.uint8), masks, [1]) == {}
    assert centroid(masks[0] == 1) == pytest.approx([2.5, 2.5])


@pytest.mark.parametrize(("family", "seed"), [("bounce", 2), ("billiards", 7)])
def test_follows_real_renders_within_two_pixels(family: str, seed: int) -> None:
    real = run(family, seed, 128, 128, 17)
    assert real.film.masks is not None
    numbers = [i for i, thing in enumerate(real.truth["objects"], 1) if "ball" in thing["noun"]]
    tracks = track(real.film.frames, real.film.masks[:GIVEN], numbers)
    assert tracks
    for number, found in tracks.items():
        true = paths_of(real.film.masks, number)
        whole = np.flatnonzero(true.area > 0.7 * true.area[GIVEN - 1])
        assert np.median(np.hypot(*(found.path[whole] - true.path[whole]).T)) < 2.0
