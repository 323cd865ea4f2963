"""Lanczos resampling keeps what it should and agrees with Pillow's."""

import numpy as np
import pytest
import torch

from worldloom.nn.lanczos import lanczos, lanczos_matrix


@pytest.mark.parametrize("wanted", [5, 17, 23, 46])
def test_flat_pictures_stay_flat(wanted):
    assert torch.allclose(lanczos_matrix(23, wanted).sum(0), torch.ones(wanted), atol=1e-6)


def test_the_same_size_is_untouched():
    video = torch.randn(1, 3, 2, 6, 8)
    assert torch.equal(lanczos(video, 6, 8), video)


@pytest.mark.parametrize("size", [(144, 130), (100, 90), (36, 30)])
def test_it_agrees_with_pillow_away_from_the_border(size):
    image = pytest.importorskip("PIL.Image")
    width, height = size
    grey = np.random.default_rng(0).normal(size=(60, 72)).astype(np.float32)
    reference = np.asarray(image.fromarray(grey, mode="F").resize((width, height), image.LANCZOS))
    ours = lanczos(torch.from_numpy(grey), height, width).numpy()
    # At the border Pillow leaves out what lies outside; ours repeats the edge.
    inner = np.s_[height // 3 : -(height // 3), width // 3 : -(width // 3)]
    assert np.abs(ours[inner] - reference[inner]).max() < 1e-3
