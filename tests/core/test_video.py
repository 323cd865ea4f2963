"""Reading: exact counts and times, uneven rates, rotation, transparency, formats."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.footage import numbered, numbers, psnr, write
from worldloom.core.coding import by_look
from worldloom.core.error import UsageError
from worldloom.core.video import (
    VideoWriter,
    decode_bytes,
    encode_bytes,
    encode_picture,
    probe,
    read_frames,
    read_video,
    resample,
    write_picture,
)

UNEVEN = [0, 40, 80, 200, 320, 360, 400, 700, 740, 780]  # milliseconds


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi"])
@pytest.mark.parametrize("rate", [16, 24, 25, Fraction(30000, 1001)])
def test_every_frame_comes_once_at_its_time(tmp_path, suffix, rate):
    path = write(tmp_path / f"clip.{suffix}", numbered(21), rate=rate)
    info, video = probe(path), read_video(path)
    assert numbers(video.frames) == list(range(21))
    assert (info.num_frames, info.width, info.height) == (21, 64, 48)
    assert info.fps == video.fps == rate
    assert not info.is_variable_rate
    np.testing.assert_allclose(video.timestamps, np.arange(21) / float(rate), atol=1e-3)
    assert info.duration == pytest.approx(21 / float(rate), abs=2e-3)
    assert numbers(np.stack(list(read_frames(path)))) == list(range(21))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cut.webm", {"format": "webm", "codec": "libvpx-vp9", "options": {"live": "1"}}),
        ("pieces.mp4", {"format": "mp4", "options": {"movflags": "frag_keyframe+empty_moov"}}),
    ],
)
def test_container_without_duration(tmp_path, name, settings):
    path = write(tmp_path / name, numbered(20), rate=20, **settings)
    info = probe(path)
    assert info.num_frames == 20
    assert info.duration == pytest.approx(1.0, abs=2e-3)
    assert numbers(read_video(path).frames) == list(range(20))


def test_variable_rate_keeps_frames_and_times(tmp_path):
    path = write(tmp_path / "uneven.mkv", numbered(10), times=UNEVEN)
    info, video = probe(path), read_video(path)
    assert info.is_variable_rate
    assert numbers(video.frames) == list(range(10))
    np.testing.assert_allclose(video.timestamps, np.array(UNEVEN) / 1000, atol=1e-9)


def test_variable_rate_is_made_constant_by_time(tmp_path):
    path = write(tmp_path / "uneven.mkv", numbered(10), times=UNEVEN)
    video = read_video(path, fps=25)
    shown = [max(i for i, t in enumerate(UNEVEN) if t <= k * 40) for k in range(20)]
    assert numbers(video.frames) == shown
    assert video.fps == 25
    np.testing.assert_allclose(np.diff(video.timestamps), 0.04)


def test_constant_rate_asked_for_itself_changes_nothing(tmp_path):
    path = write(tmp_path / "clip.mkv", numbered(30), rate=24)  # times rounded to milliseconds
    assert numbers(read_video(path, fps=24).frames) == list(range(30))
    assert numbers(read_video(path, fps=12).frames) == list(range(0, 30, 2))
    assert numbers(read_video(path, fps=48).frames) == [i // 2 for i in range(60)]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40), st.sampled_from([8, 16, 24, 30, 60]))
def test_resampling_keeps_order_and_duration(steps, fps):
    times = np.concatenate([[0], np.cumsum(steps)]) / 1000
    duration = float(times[-1] + 0.04)
    picks = resample(times, duration, fps)
    assert (np.diff(picks) >= 0).all()
    assert abs(len(picks) / fps - duration) <= 0.5 / fps + 1e-9 or len(picks) == 1
    # No frame is shown later than half an output interval after the next one was due.
    late = np.arange(len(picks)) / fps - times[np.minimum(picks + 1, len(times) - 1)]
    assert (late[picks + 1 < len(times)] <= 0.5 / fps + 1e-9).all()


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(tmp_path, rotation):
    frames = numbered(4)
    path = write(tmp_path / "phone.mp4", frames, rotation=rotation)
    info, video = probe(path), read_video(path)
    upright = np.rot90(frames, k=info.rotation // 90, axes=(1, 2))
    assert info.rotation == rotation
    assert (info.height, info.width) == upright.shape[1:3] == video.frames.shape[1:3]
    assert psnr(video.frames, upright) > 30


@pytest.mark.parametrize("background", ["black", "white"])
def test_transparent_video_is_composited(tmp_path, background):
    frames = np.zeros((3, 32, 32, 4), np.uint8)
    frames[:, :, :16] = (200, 100, 50, 255)
    frames[:, :8, :16, 3] = 128
    path = write(tmp_path / "sprite.mov", frames, codec="qtrle", pix_fmt="argb", array_format="rgba")
    assert probe(path).has_alpha
    video = read_video(path, background=background)
    behind = 255 if background == "white" else 0
    assert (video.frames[:, :, 16:] == behind).all()
    assert (video.frames[:, 8:, :16] == (200, 100, 50)).all()
    half = np.round(np.array([200, 100, 50]) * 128 / 255 + behind * 127 / 255)
    assert np.abs(video.frames[:, :8, :16] - half).max() <= 1


def test_gif(tmp_path):
    path = write(tmp_path / "loop.gif", numbered(6), rate=10, codec="gif", pix_fmt="rgb8")
    assert numbers(read_video(path).frames) == list(range(6))
    assert probe(path).duration == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("tagged", [1, 5, 6])
def test_colors_follow_the_matrix_of_the_file(tmp_path, tagged):
    colors = np.array([(220, 30, 30), (30, 200, 40), (30, 40, 210), (255, 255, 255), (0, 0, 0)], np.uint8)
    frames = np.broadcast_to(np.repeat(colors, 16, axis=0)[None, None], (2, 48, 80, 3)).copy()
    ours = tmp_path / "ours.mp4"
    with VideoWriter(ours, 80, 48, 16, coding=by_look(4)) as writer:
        writer.write(frames)
    centers = np.arange(5) * 16 + 8
    assert np.abs(read_video(ours).frames[0, 24, centers].astype(int) - colors).max() <= 4
    untagged = write(tmp_path / "untagged.mp4", frames, codec_options={"crf": "4", "colorspace": str(tagged)})
    if tagged != 1:  # FFmpeg itself converts by BT.601 unless told otherwise
        assert np.abs(read_video(untagged).frames[0, 24, centers].astype(int) - colors).max() <= 4


def test_shard_bytes_keep_every_frame():
    frames = numbered(33, 128, 128)
    data = encode_bytes(frames, 16)
    decoded = decode_bytes(data)
    assert decoded.shape == frames.shape
    assert numbers(decoded) == list(range(33))
    assert psnr(decoded, frames) > 38
    assert data == encode_bytes(frames, 16)
    assert (decode_bytes(encode_picture(frames[3])) == frames[3:4]).all()


def test_picture_is_a_video_of_one_frame(tmp_path):
    frame = numbered(1)[0]
    write_picture(tmp_path / "still.png", frame, {"seed": 5})
    video = read_video(tmp_path / "still.png")
    assert (video.frames == frame).all()
    assert (video.num_frames, video.fps, video.metadata) == (1, 1, {"seed": 5})
    assert (next(read_frames(tmp_path / "still.png")) == frame).all()


@pytest.mark.parametrize("fps", [0, -1, 1e6])
def test_impossible_rate_is_refused(tmp_path, fps):
    path = write(tmp_path / "clip.mp4", numbered(3))
    with pytest.raises(UsageError, match="allowed: above 0, at most 1000"):
        read_video(path, fps=fps)
