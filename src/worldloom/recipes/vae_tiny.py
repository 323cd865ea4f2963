"""The autoencoder in the package, 4x8x8 with 16 channels, and a toy one for tests."""

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
    """One hour on two CPU cores: 17-frame windows of 96x96 pixels, three at a time, Muon."""
    return AutoencoderRecipe(
        name="vae_tiny",
        model=presets.tiny(),
        data=ClipDataConfig(("datasets/tiny",), CropConfig(17, 96, 96), batch_pixels=3 * 17 * 96 * 96),
        loss=LossWeights(),
        optimizer=OptimizerConfig(matrix_rate=1.5e-3, learning_rate=1e-3),
        schedule=ScheduleConfig(minutes=60, warmup_steps=50, decay_fraction=0.5, decay="cosine"),
        guard=GuardConfig(),
        trainer=TrainerConfig(ema_decay=0.998),
    )


def vae_debug() -> AutoencoderRecipe:
    """The same path in seconds: toy widths, thirty steps, saving all the time."""
    tiny = vae_tiny()
    return replace(
        tiny,
        name="vae_debug",
        model=presets.debug(),
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
