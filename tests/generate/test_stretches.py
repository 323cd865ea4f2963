"""Stretches to keep: as text and as pairs, to the frame, and what is refused."""

import pytest

from tests.generate.conftest import moving_clip
from worldloom.core.error import UsageError
from worldloom.generate.stretches import read_stretches

CLIP = moving_clip(32)  # 2 s


@pytest.mark.parametrize("keep", ["0.5-1, 1.25 - 2", [(0.5, 1), (1.25, 2)]])
def test_text_and_pairs(keep: str | list[tuple[float, float]]) -> None:
    assert read_stretches(keep, CLIP, 40) == [(8, 16), (20, 32)]


def test_to_the_nearest_frame() -> None:
    assert read_stretches("0.03-0.97", CLIP, 32) == [(0, 16)]
    assert read_stretches("0.5-1,1-1.5", CLIP, 32) == [(8, 16), (16, 24)]


@pytest.mark.parametrize(
    ("keep", "frames", "says"),
    [
        ("", 32, "'' is no stretch"),
        ([], 32, "no stretch is to be kept"),
        ("1", 32, "'1' is no stretch of seconds; write them as"),
        ("-1-1", 32, "is no stretch"),
        ("0.5-0.5", 32, "0.5 to 0.5 s holds no frame"),
        ("0.5-0.51", 32, "holds no frame"),
        ("1-0.5", 32, "1 to 0.5 s is no stretch of the clip, which lasts from 0 to 2 s"),
        ("1-2.5", 64, "1 to 2.5 s is no stretch"),
        ([(float("nan"), 1.0)], 32, "nan to 1 s"),
        ("0-1,0.5-1.5", 32, "from 0.5 s begins before the one before it ends, at 1 s"),
        ("1-1.5,0-0.5", 32, "in order and apart"),
        ("1-2", 24, "the last stretch ends at 2 s and the result at 1.5 s"),
        ("0-2", 32, "nothing is left to paint"),
    ],
)
def test_impossible_stretches(keep: str, frames: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_stretches(keep, CLIP, frames)
