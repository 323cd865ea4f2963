"""The autoencoder in the package on clips longer than the windows it was trained on."""

import numpy as np
import torch

from worldloom.generate.folder import find_folder
from worldloom.training.pixel import psnr, to_bytes, to_video
from worldloom.vae.autoencoder import Autoencoder
from worldloom.worlds.render import render_take


def test_colours_hold_past_the_longest_window_trained_on() -> None:
    vae = Autoencoder.load(find_folder("tiny") / "vae").eval()
    take = render_take("pusher", 3, width=96, height=96, num_frames=65, supersample=2, wordings=0)
    with torch.no_grad():
        copy = to_bytes(vae.decode(vae.encode(to_video(take.frames[None])))[0])
    bias = np.abs((copy.astype(float) - take.frames).mean((1, 2)))
    assert bias.max() < 4, f"levels of 255 by which a colour is off in a frame: {bias.max(1).round(1)}"
    early, late = (psnr(take.frames[part], copy[part]) for part in (slice(0, 17), slice(33, 65)))
    assert late > early - 2.5
