"""What the decoder lacks of a given frame returns where new frames show the same, and only there."""

import numpy as np
import pytest

from worldloom.generate.detail import KEPT, Neighbour, restore


def still(value: int, count: int, size: int = 16) -> np.ndarray:
    return np.full((count, size, size, 3), value, np.uint8)


def run(frames: np.ndarray, wanted: slice, before=None, after=None, cut: int = 3) -> np.ndarray:
    chunks = (frames[start : start + cut] for start in range(0, len(frames), cut))
    return np.concatenate(list(restore(chunks, wanted, before, after)))


@pytest.mark.parametrize("cut", [1, 3, 4, 12])
def test_without_neighbours_frames_pass_to_the_bit(cut: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
    assert np.array_equal(run(frames, slice(2, 9), cut=cut), frames[2:9])


@pytest.mark.parametrize("cut", [1, 3, 4, 12])
def test_a_scene_that_stands_still_goes_on_as_given_and_fades_to_half(cut: int) -> None:
    given = np.random.default_rng(0).integers(60, 200, (16, 16, 3)).astype(np.uint8)
    decoded = np.repeat((given // 2 + 40)[None], 13, axis=0)  # paler, the same in every frame
    lacking = given.astype(int) - decoded[0]
    forward = run(decoded, slice(3, 12), Neighbour(given, 2), cut=cut)
    backward = run(decoded, slice(0, 9), after=Neighbour(given, 9), cut=cut)
    for number in range(9):
        weight = 1 - (1 - KEPT) * (number + 1) / 10
        expected = decoded[0] + weight * lacking
        assert np.abs(forward[number] - expected).max() <= 0.5
        assert np.abs(backward[8 - number] - expected).max() <= 0.5


def test_between_two_neighbours_one_hands_over_to_the_other() -> None:
    decoded = still(100, 9)
    restored = run(decoded, slice(1, 8), Neighbour(still(120, 1)[0], 0), Neighbour(still(80, 1)[0], 8))
    values = restored.mean(axis=(1, 2, 3))
    assert np.all(np.diff(values) < 0) and values[3] == 100 and values[0] == 115 and values[-1] == 85


def test_what_is_no_longer_there_gets_nothing_back() -> None:
    decoded = still(100, 6)
    decoded[3:, :, 8:] = 180  # something came
    restored = run(decoded, slice(1, 6), Neighbour(still(110, 1)[0], 0))
    values = restored[:, 0, 0, 0]
    assert 105 <= values[-1] < values[0] <= 110
    assert np.all(restored[:2] == values[:2, None, None, None])
    assert np.all(restored[2:, :, :6] == values[2:, None, None, None])
    assert np.array_equal(restored[2:, :, 11:], decoded[3:, :, 11:])


def test_frames_wait_for_the_neighbour_that_follows() -> None:
    decoded = still(100, 12)
    read: list[int] = []

    def chunks():
        for number in range(4):
            read.append(number)
            yield decoded[3 * number : 3 * number + 3]

    first = next(restore(chunks(), slice(0, 5), None, Neighbour(still(104, 1)[0], 7)))
    assert read == [0, 1, 2] and len(first) == 3 and np.all(first >= 102)
