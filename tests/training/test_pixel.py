import numpy as np
import pytest
import torch

from worldloom.training.pixel import moving_pixels, psnr, to_bytes, to_video


def test_bytes_go_to_video_and_back():
    frames = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
    video = to_video(frames)
    assert video.shape == (1, 3, 1, 16, 16)
    assert video.min() == -1 and video.max() == 1
    assert np.array_equal(to_bytes(video[0]), frames[0])
    assert to_bytes(torch.full((3, 1, 1, 1), 7.0)).max() == 255


def test_psnr_of_a_known_error():
    a = np.full((2, 4, 4, 3), 100, np.uint8)
    b = a + np.uint8(10)
    assert psnr(a, b) == pytest.approx(10 * np.log10(255**2 / 100))
    assert psnr(a, a) == 99
    mask = np.zeros((2, 4, 4), bool)
    mask[0, 0, 0] = True
    c = a.copy()
    c[0, 0, 0] = 110
    assert psnr(a, c, mask) == pytest.approx(psnr(a, b))


def test_moving_pixels_are_where_something_left_and_where_it_came():
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    for f in range(3):
        frames[f, 1, f] = 200
    moving = moving_pixels(frames)
    assert moving[0, 1].tolist() == [True, True, False, False]
    assert moving[1, 1].tolist() == [True, True, True, False]
    assert not moving[:, 0].any()
    assert not moving_pixels(frames[:1]).any()
