"""Given frames in the file: 40 dB whatever they show, in a file that plays everywhere where that is possible."""

import numpy as np
import pytest

from tests.core.footage import psnr
from worldloom.core.coding import FAITHFUL_420, FAITHFUL_444, PAINTED, by_look
from worldloom.core.fidelity import KEPT, choose_coding, psnr_of_frames
from worldloom.core.video import VideoWriter, decode_bytes, encode_bytes, read_video


def shapes(count=9, side=32, width=64, height=48, color=(230, 20, 40)):
    """A saturated square over a soft floor, moving right."""
    floor = np.linspace(60, 160, height).astype(np.uint8)[None, :, None, None]
    frames = np.broadcast_to(floor, (count, height, width, 3)).copy()
    for number, frame in enumerate(frames):
        frame[5 : 5 + side, 3 + number : 3 + number + side] = color
    return frames


def noise(count=5, width=64, height=48):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def through_a_file(path, frames, coding):
    with VideoWriter(path, frames.shape[2], frames.shape[1], 16, coding=coding) as writer:
        writer.write(frames)
    return read_video(path).frames


@pytest.mark.parametrize(
    "frames", [shapes(), noise(), shapes(width=63, height=47)], ids=["shapes", "noise", "odd"]
)
def test_given_frames_keep_40_db(tmp_path, frames):
    coding = choose_coding([frames])
    assert coding == FAITHFUL_444
    assert psnr_of_frames(frames, through_a_file(tmp_path / "given.mp4", frames, coding)).min() >= KEPT
    assert psnr_of_frames(frames, through_a_file(tmp_path / "half.mp4", frames, FAITHFUL_420)).min() < KEPT


def test_what_was_in_a_file_stays_playable_everywhere(tmp_path):
    frames = shapes()
    once = through_a_file(tmp_path / "once.mp4", frames, PAINTED)
    coding = choose_coding([once, frames[:0]])
    assert coding == FAITHFUL_420
    assert psnr_of_frames(once, through_a_file(tmp_path / "twice.mp4", once, coding)).min() >= KEPT


def test_one_given_frame_in_many_decides(tmp_path):
    grey = np.full((70, 48, 64, 3), 90, np.uint8)
    assert choose_coding([grey]) == FAITHFUL_420
    grey[69] = shapes()[0]
    assert choose_coding([grey]) == FAITHFUL_444


def test_the_user_may_decide():
    assert choose_coding([shapes()], "420") == FAITHFUL_420
    assert choose_coding([], "444") == FAITHFUL_444
    assert choose_coding([]) == choose_coding([shapes()[:0]]) == PAINTED


def test_frames_of_every_type_keep_as_much():
    """One quantiser bounds every frame's error; by the look, x264 takes from frames nothing is predicted from."""
    frames = noise(17)
    even = psnr_of_frames(frames, decode_bytes(encode_bytes(frames, 16, FAITHFUL_444)))
    assert np.ptp(even) < 1 and even.min() > 40.5
    assert psnr_of_frames(frames, decode_bytes(encode_bytes(frames, 16, by_look(12)))).min() < even.min()


def test_colours_do_not_move_from_file_to_file():
    """Colour values are read where they were put: a clip written five times over still lies where it lay."""
    frames, coding = shapes(3, side=20), by_look(0)
    clip = frames
    for _ in range(5):
        clip = decode_bytes(encode_bytes(clip, 16, coding))
    red = (clip[..., 0].astype(float) - clip[..., 1])[:, 15]  # a row through the square: red where it is
    weights = np.clip(red, 0, None)
    centre = (weights * np.arange(64)).sum(axis=1) / weights.sum(axis=1)
    assert np.abs(centre - (3 + np.arange(3) + 9.5)).max() < 0.15


def test_psnr_of_frames():
    frames = noise(3)
    other = frames.copy()
    other[1] ^= 1
    assert np.isinf(psnr_of_frames(frames, other)[[0, 2]]).all()
    assert psnr_of_frames(frames, other)[1] == pytest.approx(psnr(frames[1], other[1]))
