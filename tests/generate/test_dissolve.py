"""A join that would jump dissolves, one that does not is left alone, and nothing waits longer than it must."""

from collections.abc import Iterator

import numpy as np
import pytest

from worldloom.generate.dissolve import DARKER, REACH, STILL, SUDDEN, Edge, changes, dissolve


def moving(count: int, offset: int = 0, step: int = 2) -> np.ndarray:
    """A bar that moves over grain, uint8 [F, 24, 48, 3]."""
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(60, 120, (1, 24, 48, 3)), count, axis=0)
    for number, frame in enumerate(frames):
        left = (offset + step * number) % 40
        frame[:, left : left + 8] = 220
    return frames.astype(np.uint8)


def run(new: np.ndarray, before=None, after=None, cut: int = 4) -> np.ndarray:
    chunks = (new[start : start + cut] for start in range(0, len(new), cut))
    return np.concatenate(list(dissolve(chunks, len(new), before, after)))


@pytest.mark.parametrize("cut", [1, 3, 4, 20])
@pytest.mark.parametrize("count", [1, 5, 20])
def test_footage_that_goes_on_is_left_to_the_bit(count: int, cut: int) -> None:
    clip = moving(18 + count)
    new = clip[9 : 9 + count]
    before, after = Edge(clip[8::-1]), Edge(clip[9 + count :])
    assert np.array_equal(run(new, before, after, cut), new)
    assert np.array_equal(run(new, None, None, cut), new)


@pytest.mark.parametrize("cut", [1, 3, 4, 7, 20])
def test_a_jump_becomes_as_large_as_other_changes(cut: int) -> None:
    given, new = moving(9), moving(20, offset=30)
    after = run(new, before=Edge(given[::-1]), cut=cut)
    joined = changes(np.concatenate([given, after]))
    plain = changes(np.concatenate([given, new]))
    usual = np.median(np.concatenate([changes(given), changes(new[:REACH])]))
    assert joined[8] <= SUDDEN * usual * 1.1 < plain[8]
    assert joined.max() < plain[8]
    assert np.array_equal(after[REACH:], new[REACH:])
    shares = np.abs(after[:REACH].astype(int) - new[:REACH]).mean(axis=(1, 2, 3))
    assert np.all(np.diff(shares[:6]) < 0)


def test_the_stiller_side_says_what_is_usual() -> None:
    still, new = np.repeat(moving(1), 9, axis=0), moving(20, offset=30)
    for given, painted in ((still, new), (new[:9], still)):
        met = run(painted, before=Edge(given[::-1]))
        first = changes(np.stack([given[-1], met[0]]))[0]
        assert first <= SUDDEN * STILL * 1.1 < np.median(changes(new))


def test_both_ways_are_alike() -> None:
    given, new = moving(9), moving(20, offset=30)
    forward = run(new, before=Edge(given[::-1]), cut=20)
    backward = run(new[::-1], after=Edge(given[::-1]), cut=3)
    assert np.array_equal(forward, backward[::-1])


def test_brightness_does_not_step() -> None:
    given = moving(9)
    new = np.clip(moving(20, offset=18).astype(int) + 10, 0, 255).astype(np.uint8)
    light = given[-1].mean()
    assert abs(new[0].mean() - light) > 2 * DARKER * light
    assert abs(run(new, before=Edge(given[::-1]))[0].mean() - light) <= DARKER * light + 1


def test_a_picture_is_met_as_usual_among_the_new_frames() -> None:
    new = moving(20)
    picture = moving(1, offset=30)
    met = changes(np.concatenate([run(new, after=Edge(picture)), picture]))
    plain = changes(np.concatenate([new, picture]))
    assert met[-1] <= SUDDEN * np.median(changes(new[-REACH:])) * 1.1 < plain[-1]
    assert np.array_equal(run(new[:1], after=Edge(new[:1])), new[:1])


def test_no_more_is_held_back_than_may_dissolve() -> None:
    new, asked = moving(20), []

    def chunks() -> Iterator[np.ndarray]:
        for start in range(0, 20, 4):
            asked.append(start)
            yield new[start : start + 4]

    footage = dissolve(chunks(), 20, None, Edge(moving(9, offset=40)))
    assert len(next(footage)) == 4 and asked == [0, 4, 8]
    asked.clear()
    assert len(next(dissolve(chunks(), 20, Edge(moving(9)), None))) == 8 and asked == [0, 4]
