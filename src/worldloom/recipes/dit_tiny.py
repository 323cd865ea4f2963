"""The diffusion transformer in the package, and a toy one for tests."""

from dataclasses import replace

from worldloom.dit import presets as transformers
from worldloom.generate.card import Sampling
from worldloom.text import presets as encoders
from worldloom.training.denoising import DenoisingRecipe, NoiseConfig
from worldloom.training.guard import GuardConfig
from worldloom.training.masking import MaskConfig
from worldloom.training.objective import TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.parts import LatentDataConfig
from worldloom.training.preview import PreviewConfig
from worldloom.training.schedule import ScheduleConfig

VOCABULARY = 4096


def dit_tiny() -> DenoisingRecipe:
    """Two hours on two CPU cores over latents of `vae_tiny`: eight 17-frame clips a batch, Muon."""
    return DenoisingRecipe(
        name="dit_tiny",
        description="A small text-to-video model of simulated worlds, trained from scratch by worldloom.",
        transformer=transformers.tiny(),
        text=encoders.tiny(VOCABULARY),
        data=LatentDataConfig(
            folders=("datasets/tiny",),
            vae="runs/vae_tiny/ema",
            cache="datasets/cache",
            batch_tokens=2560,
            vocab_size=VOCABULARY,
        ),
        mask=MaskConfig(),
        noise=NoiseConfig(),
        sampling=Sampling(),
        preview=PreviewConfig(),
        optimizer=OptimizerConfig(
            kind="adamw", learning_rate=1e-3, betas=(0.9, 0.98), slow=("text_encoder.",), slow_factor=0.1
        ),
        schedule=ScheduleConfig(minutes=120, warmup_steps=100, decay_fraction=0.4, decay="cosine"),
        guard=GuardConfig(),
        trainer=TrainerConfig(ema_decay=0.9995, evaluate_minutes=10, log_steps=20),
    )


def dit_debug() -> DenoisingRecipe:
    """The same path in seconds: toy widths, twenty steps, saving all the time."""
    tiny = dit_tiny()
    return replace(
        tiny,
        name="dit_debug",
        transformer=replace(transformers.debug(), in_channels=4, out_channels=4),
        text=encoders.debug(VOCABULARY),
        data=replace(
            tiny.data,
            folders=("datasets/debug",),
            vae="runs/vae_debug/ema",
            cache="datasets/cache-debug",
            batch_tokens=64,
            heldout_permille=200,
            evaluated=3,
            vocab_size=2048,
        ),
        preview=PreviewConfig(from_text=1, from_picture=1, num_steps=2),
        schedule=ScheduleConfig(steps=20, warmup_steps=5),
        trainer=TrainerConfig(
            ema_decay=0.9, threads=1, log_steps=5, save_steps=4, evaluate_steps=10, measure_mfu=False
        ),
    )
