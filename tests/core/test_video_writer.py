"""Writing: exact files, the same bytes each time, metadata, odd sizes, nothing left behind by a failure."""

import hashlib
import resource
import subprocess
import sys
import textwrap
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.core.footage import numbered, numbers, psnr
from worldloom.core.error import UsageError
from worldloom.core.video import VideoWriter, encode_bytes, probe, read_video

RECORD = {
    "prompt": 'a "red" ball 红球\n弹跳',
    "seed": 2**62 + 1,
    "model": "tiny",
    "settings": {"steps": 20, "guidance": 2.5},
}


def save(path, frames, fps=16, **more):
    with VideoWriter(path, frames.shape[2], frames.shape[1], fps, **more) as writer:
        for start in range(0, len(frames), 5):
            writer.write(frames[start : start + 5])
    return path


@pytest.mark.parametrize("fps", [16, 24, Fraction(24000, 1001), 12.5])
def test_round_trip(tmp_path, fps):
    frames = numbered(33)
    path = save(tmp_path / "clip.mp4", frames, fps, metadata=RECORD)
    info, video = probe(path), read_video(path)
    assert numbers(video.frames) == list(range(33))
    assert info.fps == Fraction(fps)
    assert info.duration == pytest.approx(33 / float(fps), abs=1e-6)
    assert info.metadata == video.metadata == RECORD
    assert psnr(video.frames, frames) > 30
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(("width", "height"), [(65, 47), (64, 47), (1, 1), (33, 2)])
def test_odd_size_comes_back_true(tmp_path, width, height):
    rows, columns = np.mgrid[:height, :width]
    frames = np.stack(
        [np.stack([rows * 3 + i, columns * 2 + i, rows + columns], -1) for i in range(4)]
    ).astype(np.uint8)
    path = save(tmp_path / "odd.mp4", frames)
    assert (probe(path).width, probe(path).height) == (width, height)
    video = read_video(path)
    assert video.frames.shape == frames.shape
    assert psnr(video.frames, frames) > 34
    with av.open(str(path)) as container:  # any player can show it
        stream = container.streams.video[0]
        assert (stream.width % 2, stream.height % 2, stream.pix_fmt) == (0, 0, "yuv420p")


def test_same_bytes_whatever_lay_in_memory_before():
    frames = (
        np.random.default_rng(0).integers(0, 256, (17, 20, 12, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    )
    sizes = set()
    for seed in range(4):
        junk = [
            np.full(size, seed, np.uint8) for size in np.random.default_rng(seed).integers(1000, 200_000, 80)
        ]
        del junk
        sizes.add(hashlib.sha256(encode_bytes(frames, 16)).hexdigest())
    assert len(sizes) == 1


def test_same_frames_same_bytes(tmp_path):
    frames = numbered(20, 160, 96)
    first = save(tmp_path / "a.mp4", frames, metadata=RECORD).read_bytes()
    second = save(tmp_path / "b.mp4", frames, metadata=RECORD).read_bytes()
    assert first == second


def test_index_stands_in_front(tmp_path):
    data = save(tmp_path / "clip.mp4", numbered(5)).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_existing_file_is_kept_without_force(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        save(path, numbered(2))
    assert path.read_bytes() == b"precious"
    save(path, numbered(2), force=True)
    assert probe(path).num_frames == 2


def test_failure_in_the_block_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "clip.mp4", 64, 48, 16) as writer:
        writer.write(numbered(10))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "frames", "message"),
    [
        ((64, 48, 16), numbered(2, 64, 50), "do not fit"),
        ((64, 48, 16), numbered(0), "no frame was given"),
        ((0, 48, 16), numbered(1), "each side must be in"),
        ((64, 48, 0), numbered(1), "the rate must be above 0"),
    ],
)
def test_impossible_requests(tmp_path, arguments, frames, message):
    with pytest.raises(UsageError, match=message), VideoWriter(tmp_path / "clip.mp4", *arguments) as writer:
        writer.write(frames)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", [0, 4096, 60_000])
def test_full_disk_is_a_failure_and_leaves_nothing(tmp_path, room):
    """A file size limit stands for the disk: the same write calls fail, at the first byte, midway or at the end."""
    program = f"""
        import numpy as np, resource
        from worldloom.core.error import Failure
        from worldloom.core.video import VideoWriter
        frames = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
        try:
            with VideoWriter({str(tmp_path / "clip.mp4")!r}, 64, 64, 16) as writer:
                writer.write(frames)
        except Failure as failure:
            print(failure)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "clip.mp4: the file would exceed the size limit" in done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
