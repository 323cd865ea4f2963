"""The autoencoder in the package, 4x8x8 with 64 channels, in two stages, and a toy one for tests."""

from dataclasses import replace

from worldloom.data.dataset import CropConfig
from worldloom.training.guard import GuardConfig
from worldloom.training.objective import TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.reconstruction import AutoencoderRecipe, ClipDataConfig
from worldloom.training.schedule import ScheduleConfig
from worldloom.vae import presets
from worldloom.vae.losses import LossWeights


def vae_tiny() -> AutoencoderRecipe:
    """Half an hour on two CPU cores: 17-frame windows of 64x64 pixels, four at a time, Muon.

    Small windows make more steps of the same arithmetic; `vae_white` goes on from here.
    """
    return AutoencoderRecipe(
        name="vae_tiny",
        model=presets.tiny(),
        data=ClipDataConfig(("datasets/tiny",), CropConfig(17, 64, 64), batch_pixels=4 * 17 * 64 * 64),
        loss=LossWeights(),
        optimizer=OptimizerConfig(matrix_rate=1.5e-3, learning_rate=1e-3),
        schedule=ScheduleConfig(minutes=30, warmup_steps=50, decay_fraction=0.2, decay="cosine"),
        guard=GuardConfig(),
        trainer=TrainerConfig(ema_decay=0.996),
    )


def vae_white() -> AutoencoderRecipe:
    """The second stage: `vae_tiny` with its latents whitened, an hour more, on long windows in which something moves.

    Without whitening, directions of small variance stay unlearnt: 24.4 dB stood still for 350 steps and was 26.8 dB
    270 steps after. The squared error and the weight on motion took the weights in the package from 29.1 to 32.5 dB
    in 47 minutes, and from 20.5 to 23.9 inside moving objects; 64 channels, dead ones revived and the KL weight at
    4e-5, took them to 33.0 and 24.6 in 32 minutes more, and 44 on finely coded takes, with the squared error at 16 and
    the other two halved, to 33.4 and 25.1. Past the longest window it has seen an autoencoder shifts colours: 28 dB
    from frame 18 on after windows of 17 frames, 33 after some of 33 (docs/log.md).
    """
    tiny = vae_tiny()
    return replace(
        tiny,
        name="vae_white",
        start_from="runs/vae_tiny/ema",
        whiten=True,
        data=replace(tiny.data, crop=replace(tiny.data.crop, frames=33, draws=3)),
        loss=LossWeights(square=4.0, kl=4e-5, motion=5.0, things=4.0),
        schedule=replace(tiny.schedule, minutes=60, decay_fraction=0.5),
    )


def vae_close() -> AutoencoderRecipe:
    """The third stage: `vae_white` learns to encode in two passes, an hour more, with most weight on things that move.

    Of latents found by gradient descent the same decoder draws 1 dB better, 3 inside moving objects: it is the encoder,
    too shallow to undo its decoder, that falls short. A second pass alone gains 0.8 and 0.4 dB (docs/log.md).
    """
    white = vae_white()
    return replace(
        white,
        name="vae_close",
        start_from="runs/vae_white/ema",
        whiten=False,
        passes=2,
        loss=replace(white.loss, pixel=0.5, square=16.0, edge=0.25, things=8.0),
        optimizer=replace(white.optimizer, matrix_rate=8e-4, learning_rate=5e-4),
        schedule=replace(white.schedule, decay_fraction=0.8),
    )


def vae_debug() -> AutoencoderRecipe:
    """The same path in seconds: toy widths, thirty steps, saving all the time."""
    tiny = vae_tiny()
    return replace(
        tiny,
        name="vae_debug",
        model=presets.debug(),
        loss=LossWeights(things=4.0),
        data=replace(
            tiny.data,
            folders=("datasets/debug",),
            crop=CropConfig(5, 32, 32),
            batch_pixels=2 * 5 * 32 * 32,
            heldout_permille=200,
            evaluated=2,
        ),
        schedule=ScheduleConfig(steps=30, warmup_steps=5),
        trainer=TrainerConfig(
            ema_decay=0.9, threads=1, log_steps=5, save_steps=5, evaluate_steps=15, measure_mfu=False
        ),
    )
