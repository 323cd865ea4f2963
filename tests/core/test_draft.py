"""A draft can be played whatever ends its process, and the file made of it has every frame."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.core.footage import numbered, numbers
from worldloom.core.draft import DraftWriter
from worldloom.core.error import UsageError
from worldloom.core.video import probe, read_video

KILLED = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from tests.core.footage import numbered
from worldloom.core.draft import DraftWriter
folder = Path(sys.argv[1])
frames = numbered(100)
with DraftWriter(folder / "clip.mp4", folder / "draft.mp4", frames.shape[2], frames.shape[1], 16) as writer:
    writer.publish()
    writer.write(frames)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def writer(folder: Path, frames: np.ndarray, **more: object) -> DraftWriter:
    height, width = frames.shape[1:3]
    return DraftWriter(folder / "clip.mp4", folder / "draft.mp4", width, height, 16, **more)


def test_the_file_has_every_frame_and_the_draft_is_gone(tmp_path: Path) -> None:
    frames = numbered(40)
    with writer(tmp_path, frames, metadata={"seed": 7}) as drafting:
        drafting.write(frames[:9])
        assert not (tmp_path / "draft.mp4").exists()
        drafting.publish()
        drafting.write(frames[9:])
        assert (tmp_path / "draft.mp4").exists() and not (tmp_path / "clip.mp4").exists()
    info = probe(tmp_path / "clip.mp4")
    assert (info.num_frames, info.fps, info.metadata) == (40, 16, {"seed": 7})
    assert numbers(read_video(tmp_path / "clip.mp4").frames) == list(range(40))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_index_stands_in_front(tmp_path: Path) -> None:
    frames = numbered(5)
    with writer(tmp_path, frames) as drafting:
        drafting.write(frames)
    content = (tmp_path / "clip.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat") and b"moof" not in content


def test_an_exception_leaves_a_whole_draft(tmp_path: Path) -> None:
    frames = numbered(30)
    with pytest.raises(KeyboardInterrupt), writer(tmp_path, frames) as drafting:
        drafting.publish()
        drafting.write(frames)
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["draft.mp4"]
    assert numbers(read_video(tmp_path / "draft.mp4").frames) == list(range(30))


def test_an_unpublished_draft_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "draft.mp4").write_text("older")
    frames = numbered(5)
    with pytest.raises(KeyboardInterrupt), writer(tmp_path, frames) as drafting:
        drafting.write(frames)
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("draft.mp4", "older")]


def test_a_kill_loses_two_seconds_at_most(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    left = numbers(read_video(tmp_path / "draft.mp4").frames)
    assert left == list(range(len(left))) and len(left) >= 100 - 2 * 16 - 8  # B-frames and threads wait too
    assert not (tmp_path / "clip.mp4").exists()


def test_an_existing_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("mine")
    with pytest.raises(UsageError, match="--force"), writer(tmp_path, numbered(5)):
        raise AssertionError("entered")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
