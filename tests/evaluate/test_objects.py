import numpy as np

from tests.evaluate.clips import rolling, still
from worldloom.evaluate.objects import erase, find_losses, label, pixels_of

FRAMES = 20


def disc_cells(frames: int, speed: float, start: float = 20.0, radius: float = 7.0) -> np.ndarray:
    """The cells of 4 x 4 pixels that `rolling` draws its disc in."""
    rows, columns = np.mgrid[:16, :16] * 4 + 1.5
    return np.stack([np.hypot(rows - 32, columns - start - speed * f) <= radius for f in range(frames)])


def test_an_object_that_stays_is_no_loss() -> None:
    clip = rolling(FRAMES, speed=1.0, start=20.0)
    assert find_losses(clip, disc_cells(FRAMES, 1.0)) == ([], 2)  # followed from either end


def test_an_object_taken_out_has_vanished_there_and_then() -> None:
    clip, cells = rolling(FRAMES, speed=1.0, start=20.0), disc_cells(FRAMES, 1.0)
    clip[11:], cells[11:] = still(1)[0], False
    losses, followed = find_losses(clip, cells)
    assert followed == 1  # at its end there is nothing to follow back
    (loss,) = losses
    assert loss.kind == "vanishes" and loss.frame == 11
    assert abs(loss.place[0] - 30) < 2 and abs(loss.place[1] - 32) < 2


def test_backwards_it_appears() -> None:
    clip, cells = rolling(FRAMES, speed=1.0, start=20.0), disc_cells(FRAMES, 1.0)
    clip[:9], cells[:9] = still(1)[0], False
    losses, _ = find_losses(clip, cells)
    assert [(loss.kind, loss.frame) for loss in losses] == [("appears", 9)]


def test_leaving_the_picture_is_no_loss() -> None:
    clip, cells = rolling(FRAMES, speed=2.5, start=34.0), disc_cells(FRAMES, 2.5, start=34.0)
    assert not cells[-1].any()
    assert find_losses(clip, cells)[0] == []


def test_what_the_judge_still_sees_was_only_lost_from_sight() -> None:
    clip, cells = rolling(FRAMES, speed=0.0, start=32.0), disc_cells(FRAMES, 0.0, start=32.0)
    clip[11:] = clip[11:][..., ::-1]  # it turns blue, and so does the floor
    assert find_losses(clip, cells)[0] == []


def test_pieces_are_numbered_and_crumbs_left_out() -> None:
    cells = np.zeros((6, 8), bool)
    cells[0, :3] = cells[1, 3] = True  # a corner connects
    cells[4:, 6:] = True
    cells[5, 0] = cells[5, 1] = True  # two cells are too few
    labels = label(cells)
    assert sorted(np.unique(labels)) == [0, 1, 2]
    assert (labels[0, :3] == labels[1, 3]).all() and labels[4, 6] not in (0, labels[0, 0])
    assert labels[5, 0] == 0


def test_erasing_shows_what_is_behind() -> None:
    clip = rolling(12, speed=3.0, start=10.0)
    mask = pixels_of(disc_cells(12, 3.0, start=10.0, radius=10.0), clip)
    erased = erase(clip, mask, 6)
    assert erased is not None and np.array_equal(erased[:6], clip[:6])
    assert np.array_equal(erased[6:], still(6))
    standing = rolling(12, speed=0.0, start=30.0)
    assert erase(standing, pixels_of(disc_cells(12, 0.0, start=30.0), standing), 6) is None
