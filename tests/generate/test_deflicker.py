"""What wanders in new footage is held still, and what moves is left as it is."""

from fractions import Fraction

import numpy as np
import pytest

from tests import tiny
from worldloom.generate.clip import Clip
from worldloom.generate.deflicker import deflicker, still_share
from worldloom.generate.size import Size
from worldloom.generate.stream import Stream

LEVELS = 12.0
SIDE = 50  # no multiple of a block


@pytest.fixture(name="footage")
def _footage() -> np.ndarray:
    """A floor whose left half wanders by 8 levels and right half by 30, and a bright square that crosses the top."""
    frames = np.full((17, SIDE, SIDE, 3), 100.0)
    wandering = np.sin(np.linspace(0, 5, 17))[:, None, None, None]
    frames[:, :, :25] += 4 * wandering
    frames[:, :, 25:] += 15 * wandering
    for number in range(17):
        frames[number, 4:10, number : number + 8] = 240
    return frames.round().astype(np.uint8)


def held(
    footage: np.ndarray, before: np.ndarray | None = None, after: np.ndarray | None = None
) -> np.ndarray:
    chunks = iter(np.array_split(footage.copy(), 3))
    (frames,) = deflicker(chunks, LEVELS, before, after)
    assert frames.shape == footage.shape and frames.dtype == np.uint8
    return frames


def test_what_wanders_is_held_and_what_moves_is_not(footage: np.ndarray) -> None:
    frames = held(footage)
    assert np.ptp(footage[:, 30:, :8].astype(int), axis=0).max() == 8
    assert np.ptp(frames[:, 30:, :8].astype(int), axis=0).max() == 0
    assert np.abs(frames[:, 30:, :8].astype(int) - footage[:, 30:, :8].mean(0)).max() <= 1
    assert np.array_equal(frames[:, :14], footage[:, :14]), "beside the square nothing is held"
    assert np.array_equal(frames[:, :, 32:], footage[:, :, 32:]), "30 levels are more than wandering"


def test_still_places_show_what_is_shown_beside_them(footage: np.ndarray) -> None:
    before, after = (np.full((SIDE, SIDE, 3), level, np.uint8) for level in (96, 104))
    place = (slice(None), 40, 4, 0)
    assert set(held(footage, before)[place]) == {96}
    assert set(held(footage, None, after)[place]) == {104}
    across = held(footage, before, after)[place].astype(int)
    assert across[0] == 96 and across[8] == 100 and across[-1] == 104 and (np.diff(across) >= 0).all()
    far = np.full((SIDE, SIDE, 3), 150, np.uint8)
    assert np.array_equal(held(footage, far), footage), "nothing is still that was otherwise before"


def test_shares_fade(footage: np.ndarray) -> None:
    wandering = still_share(footage, LEVELS, [])
    assert wandering.shape == (SIDE, SIDE) and float(wandering[40, 4]) == 1
    between = still_share(footage, 6.5, [])
    assert 0 < float(between[40, 4]) < 1
    assert float(still_share(footage, 4.0, [])[40, 4]) == 0


def test_generated_and_extended_footage_is_held_and_an_edit_is_not() -> None:
    stream = Stream(tiny.engine())
    request = {"seed": 3, "steps": 2, "guidance": 1.0}
    fresh = {"num_frames": 9, "size": (32, 32), **request}

    def wander(clip: Clip) -> float:
        return float(np.ptp(clip.frames.astype(float), axis=0).mean())

    plain = stream.generate("a red ball", **fresh).clip()
    calm = stream.generate("a red ball", deflicker=64.0, **fresh).clip()
    assert plain.settings["deflicker"] == 0 and calm.settings["deflicker"] == 64
    assert wander(calm) < 0.5 * wander(plain)

    grey = Clip(np.full((9, 32, 32, 3), 128, np.uint8), Fraction(16), {})
    plain, calm = (stream.extend(grey, num_frames=8, deflicker=x, **request).clip() for x in (0.0, 64.0))
    assert np.array_equal(calm.frames[:9], grey.frames) and wander(calm) < 0.5 * wander(plain)

    plain, calm = (stream.edit(grey, "a red ball", deflicker=x, **request).clip() for x in (0.0, 64.0))
    assert calm.settings["deflicker"] == 0 and np.array_equal(calm.frames, plain.frames)
    assert calm.size == Size(32, 32)
