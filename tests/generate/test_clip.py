"""Clips and footage on disk: whole or absent, with their settings inside."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.generate.conftest import moving_clip
from worldloom.core.error import UsageError
from worldloom.core.video import probe, read_video
from worldloom.generate.clip import Clip, Footage
from worldloom.generate.size import Size


def test_a_saved_clip_reads_back(tmp_path: Path) -> None:
    clip = moving_clip(9, width=48)
    assert clip.save(tmp_path / "clip.mp4") == tmp_path / "clip.mp4"
    video = read_video(tmp_path / "clip.mp4")
    assert video.fps == 16 and video.metadata == {**clip.settings, "chroma": "4:2:0"}
    error = np.mean((video.frames.astype(float) - clip.frames) ** 2)
    assert (
        10 * np.log10(255**2 / error) > 30
    )  # half-resolution chroma costs a small saturated square the most
    assert list(tmp_path.iterdir()) == [tmp_path / "clip.mp4"]


def test_one_frame_is_a_picture_without_loss(tmp_path: Path) -> None:
    clip = moving_clip(1)
    clip.save(tmp_path / "frame.png")
    assert np.array_equal(read_video(tmp_path / "frame.png").frames, clip.frames)
    assert probe(tmp_path / "frame.png").metadata == clip.settings


def test_footage_is_painted_when_saved(tmp_path: Path) -> None:
    read: list[int] = []

    def chunks() -> Iterator[np.ndarray]:
        for number in range(3):
            read.append(number)
            yield moving_clip(4).frames

    footage = Footage(Size(32, 32), Fraction(16), 12, {}, chunks())
    assert read == []
    footage.save(tmp_path / "clip.mp4")
    assert read == [0, 1, 2] and probe(tmp_path / "clip.mp4").num_frames == 12


def test_a_failure_while_painting_leaves_no_file(tmp_path: Path) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield moving_clip(4).frames
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Footage(Size(32, 32), Fraction(16), 8, {}, chunks()).save(tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_wrong_names_and_existing_files_are_refused_before_painting(tmp_path: Path) -> None:
    def never() -> Iterator[np.ndarray]:
        raise AssertionError("painted")
        yield

    footage = Footage(Size(32, 32), Fraction(16), 8, {}, never())
    (tmp_path / "there.mp4").write_text("mine")
    for name, says in (
        ("clip.gif", ".mp4"),
        ("clip", ".mp4"),
        ("there.mp4", "--force"),
        ("no/clip.mp4", "folder"),
    ):
        with pytest.raises(UsageError, match=says):
            footage.save(tmp_path / name)
    assert (tmp_path / "there.mp4").read_text() == "mine"


def test_force_replaces(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("old")
    moving_clip(5).save(tmp_path / "clip.mp4", force=True)
    assert probe(tmp_path / "clip.mp4").num_frames == 5


def test_a_sheet_shows_the_clip() -> None:
    sheet = moving_clip(9).sheet(columns=3)
    assert sheet.dtype == np.uint8 and sheet.shape[0] >= 32 and sheet.shape[1] >= 96


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"not uint8 \[4, 4, 3\]"),
        (np.zeros((1, 4, 4, 3), np.float32), "not float32"),
        (np.zeros((0, 4, 4, 3), np.uint8), "at least one frame"),
    ],
)
def test_a_clip_is_frames(frames: np.ndarray, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Clip(frames, Fraction(16))
