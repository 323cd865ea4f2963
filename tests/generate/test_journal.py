"""An interrupted request goes on where it stopped and comes to the same frames; another request is refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.generate.conftest import moving_clip
from worldloom.core.error import Failure, UsageError
from worldloom.core.video import read_video
from worldloom.generate.clip import Footage
from worldloom.generate.journal import Journal, recorded_settings
from worldloom.generate.stream import Stream

Ask = Callable[..., Footage]
LENGTH = 41  # frames: four windows of the debug model, three groups of pictures


def stopping(after: int) -> Callable[[int, int], None]:
    """Return an `on_step` that interrupts once `after` steps are done in this run."""
    seen = []

    def on_step(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) > after:
            raise KeyboardInterrupt

    return on_step


def paint(stream: Stream, **more: object) -> Footage:
    return stream.generate("a red ball", num_frames=LENGTH, seed=3, **more)


def forward(stream: Stream, **more: object) -> Footage:
    return stream.extend(moving_clip(9), num_frames=30, seed=3, **more)


def backward(stream: Stream, **more: object) -> Footage:
    return stream.extend(moving_clip(9), num_frames=30, backward=True, seed=3, **more)


def edit(stream: Stream, **more: object) -> Footage:
    return stream.edit(moving_clip(40), "a blue box", seed=3, **more)


@pytest.mark.parametrize("ask", [paint, forward, backward, edit])
def test_the_file_is_that_of_the_unbroken_run(stream: Stream, tmp_path: Path, ask: Ask) -> None:
    unbroken, broken = tmp_path / "unbroken.mp4", tmp_path / "broken.mp4"
    ask(stream).save(unbroken)
    for run in range(2):  # with nothing to go on from it begins; stopped, and stopped again while it goes on
        with pytest.raises(KeyboardInterrupt, match="interrupted; --resume goes on"):
            ask(stream, on_step=stopping(5 - run)).save(broken, resume=True)
    ask(stream).save(broken, resume=True)
    assert broken.read_bytes() == unbroken.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "unbroken.mp4"]


def test_what_was_finished_can_be_played(stream: Stream, tmp_path: Path) -> None:
    whole = paint(stream).save(tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        paint(stream, on_step=stopping(6)).save(tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists()
    left = read_video(tmp_path / "clip.partial.mp4").frames
    assert 17 <= len(left) < LENGTH
    # Not to the bit: the encoder knew no more frames than these when it chose how to code them.
    error = left.astype(float) - read_video(whole).frames[: len(left)]
    assert np.abs(error).mean() < 3


def test_an_interrupt_before_anything_is_finished_leaves_nothing(stream: Stream, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        paint(stream, on_step=stopping(1)).save(tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_is_neither_forgotten_nor_mixed_up(stream: Stream, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(KeyboardInterrupt):
        forward(stream, on_step=stopping(5)).save(path)
    settings = recorded_settings(tmp_path / "clip.partial")
    assert settings is not None and settings["seed"] == 3
    with pytest.raises(UsageError, match="holds an interrupted run; --resume"):
        forward(stream).save(path)
    with pytest.raises(UsageError, match="was to be seed 3 and this one is 4"):
        stream.extend(moving_clip(9), num_frames=30, seed=4).save(path, resume=True)
    with pytest.raises(UsageError, match="was given footage"):
        stream.extend(moving_clip(9, step=2), num_frames=30, seed=3).save(path, resume=True)
    forward(stream).save(path, force=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["clip.mp4"]


def test_a_damaged_part_is_named(stream: Stream, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        paint(stream, on_step=stopping(5)).save(tmp_path / "clip.mp4")
    part = tmp_path / "clip.partial" / "part-00000.npz"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 0xFF
    part.write_bytes(content)
    with pytest.raises(Failure, match=r"part-00000\.npz is damaged"):
        paint(stream).save(tmp_path / "clip.mp4", resume=True)


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a.partial"
    with (
        Journal().kept_in(folder, {}, resume=False),
        pytest.raises(UsageError, match="another run is writing"),
        Journal().kept_in(folder, {}, resume=True),
    ):
        raise AssertionError("entered")


KILLED = """
import os, signal, sys
from pathlib import Path
from tests import tiny
from worldloom.generate.stream import Stream
def on_step(done, total):
    if done > 5:
        os.kill(os.getpid(), signal.SIGKILL)
Stream(tiny.engine()).generate("a red ball", num_frames=41, seed=3, on_step=on_step).save(Path(sys.argv[1]))
"""


def test_a_killed_process_leaves_the_same(stream: Stream, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists() and (tmp_path / "clip.partial").is_dir()
    paint(stream).save(path, resume=True)
    unbroken = paint(stream).save(tmp_path / "unbroken.mp4")
    assert np.array_equal(read_video(path).frames, read_video(unbroken).frames)
