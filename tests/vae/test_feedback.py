"""Each pass brings what the decoder draws nearer to the clip, with a toy blur and with the autoencoder in the package."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests import tiny
from worldloom.core.error import UsageError
from worldloom.generate.folder import find_folder
from worldloom.vae.autoencoder import Autoencoder
from worldloom.vae.feedback import amended, encode_closely
from worldloom.worlds.render import render_take


def blur(video: torch.Tensor) -> torch.Tensor:
    return F.avg_pool3d(video, (1, 3, 3), stride=1, padding=(0, 1, 1)) * 0.9


def test_a_blur_is_undone_pass_by_pass():
    torch.manual_seed(0)
    video = blur(blur(torch.rand(1, 3, 2, 16, 16) * 2 - 1))
    errors = [
        float((blur(encode_closely(video, passes, blur, lambda latents: latents)) - video).square().mean())
        for passes in (1, 2, 3)
    ]
    assert errors[0] > 1.5 * errors[1] > 1.5 * 1.2 * errors[2]


def test_what_was_drawn_right_changes_nothing():
    video = torch.rand(1, 3, 1, 4, 4) * 2 - 1
    assert torch.equal(amended(video, video, video), video)
    beyond = torch.where(video > 0, 3.0, -3.0)
    assert torch.allclose(amended(video, torch.sign(video), beyond), video), "the decoder's range is cut"


@torch.no_grad()
def test_the_packaged_autoencoder_comes_closer():
    vae = Autoencoder.load(find_folder("tiny") / "vae")
    take = render_take("stack", 5, width=64, height=64, num_frames=9, wordings=0)
    video = torch.from_numpy(take.frames).permute(3, 0, 1, 2)[None] / 127.5 - 1
    once, twice = (
        (vae.decode(encode_closely(video, passes, vae.encode, vae.decode)) - video).square().mean()
        for passes in (1, 2)
    )
    assert twice < 0.93 * once


def test_an_engine_encodes_in_as_many_passes_as_its_card_says():
    once = tiny.engine()
    twice = replace(once, card=replace(once.card, encode_passes=2))
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    video = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    latents = once.encode(frames)
    shown = amended(video, video, once.vae.decode(latents))
    torch.testing.assert_close(twice.encode(frames), once.vae.encode(shown), atol=1e-5, rtol=1e-5)
    assert (twice.encode(frames) - latents).abs().max() > 1e-3
    torch.testing.assert_close(
        replace(twice, tile=16).encode(frames), twice.encode(frames), atol=1e-4, rtol=1e-4
    )


def test_no_pass_is_refused():
    with pytest.raises(UsageError, match="at least 1 pass, not 0"):
        replace(tiny.CARD, encode_passes=0)
