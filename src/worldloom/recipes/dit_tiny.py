"""The diffusion transformer in the package, and a toy one for tests."""

from dataclasses import fields, replace

from worldloom.dit import presets as transformers
from worldloom.generate.card import Sampling
from worldloom.text import presets as encoders
from worldloom.training.denoising import DenoisingRecipe, NoiseConfig
from worldloom.training.distilling import DistillingRecipe, StepsConfig
from worldloom.training.guard import GuardConfig
from worldloom.training.masking import MaskConfig
from worldloom.training.objective import TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.parts import LatentDataConfig
from worldloom.training.preview import PreviewConfig
from worldloom.training.schedule import ScheduleConfig
from worldloom.vae import presets as autoencoders

VOCABULARY = 4096
CHANNELS = autoencoders.tiny().z_dim


def dit_tiny() -> DenoisingRecipe:
    """Two hours on two CPU cores over latents of `vae_close`: twelve clips of 17 frames, six of 33 or sixty pictures.

    Begins best from `dit_pictures` (`--start_from=runs/dit_pictures/ema`). The text encoder of `text_tiny` is held
    still: trained along, it collapsed at the transformer's rate and learnt next to nothing at a tenth of it.
    """
    return DenoisingRecipe(
        name="dit_tiny",
        description="A small text-to-video model of simulated worlds, trained from scratch by worldloom.",
        transformer=replace(transformers.tiny(), in_channels=CHANNELS, out_channels=CHANNELS),
        text=encoders.tiny(VOCABULARY),
        data=LatentDataConfig(
            folders=("datasets/tiny",),
            vae="runs/vae_close/ema",
            text="runs/text_tiny/ema",
            worth=0.6,
            passes=2,
            cache="datasets/cache",
            batch_tokens=3840,
            pictures=4,
            vocab_size=VOCABULARY,
        ),
        mask=MaskConfig(
            nothing=52, first=14, prefix=8, suffix=8, ends=5, dissolve=5, scattered=3, region=3, levels=2
        ),
        noise=NoiseConfig(spread=1.5, shift=2.0, subjects=4.0, naming=0.1, following=0.1),
        sampling=Sampling(),
        preview=PreviewConfig(),
        optimizer=OptimizerConfig(matrix_rate=2e-3, learning_rate=1e-3, betas=(0.9, 0.98)),
        schedule=ScheduleConfig(minutes=120, warmup_steps=20, decay_fraction=0.35, decay="cosine"),
        guard=GuardConfig(),
        trainer=TrainerConfig(ema_decay=0.995, evaluate_minutes=10, log_steps=20),
    )


def dit_pictures() -> DenoisingRecipe:
    """The first stage: the first frames of the same clips, five times as many a second, until words are read."""
    tiny = dit_tiny()
    return replace(
        tiny,
        name="dit_pictures",
        data=replace(tiny.data, cut=1),
        schedule=replace(tiny.schedule, minutes=30, decay_fraction=0.1, final_rate=0.7),
        trainer=replace(tiny.trainer, ema_decay=0.99),
    )


def dit_fast() -> DistillingRecipe:
    """Half an hour from the weights of `dit_tiny` (`--start_from=runs/dit_tiny/ema`) to four steps without guidance."""
    return _distilling(
        dit_tiny(), "dit_fast", ScheduleConfig(minutes=30, warmup_steps=20, decay_fraction=0.4)
    )


def dit_fast_debug() -> DistillingRecipe:
    """The same path in seconds."""
    return _distilling(dit_debug(), "dit_fast_debug", ScheduleConfig(steps=8, warmup_steps=2))


def _distilling(recipe: DenoisingRecipe, name: str, schedule: ScheduleConfig) -> DistillingRecipe:
    """The recipe with a teacher. All canvases but those with a level per frame; every prompt is heard."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    few = StepsConfig()
    values |= {
        "name": name,
        "mask": replace(recipe.mask, levels=0.0),
        "noise": replace(recipe.noise, drop_text=0.0, drop_known=0.0, naming=0.0, following=0.0),
        "sampling": Sampling("euler", few.steps, 1.0, few.shift),
        "preview": replace(recipe.preview, num_steps=few.steps, guidance_scale=1.0),
        "optimizer": replace(recipe.optimizer, matrix_rate=5e-4, learning_rate=2e-4),
        "schedule": schedule,
    }
    return DistillingRecipe(**values, few=few)


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
            text="",
            worth=0.0,
            pictures=0,
            cache="datasets/cache-debug",
            batch_tokens=64,
            heldout_permille=200,
            evaluated=3,
            vocab_size=2048,
        ),
        noise=replace(tiny.noise, naming=0.0, following=0.0),
        preview=PreviewConfig(from_text=1, from_picture=1, num_steps=2),
        schedule=ScheduleConfig(steps=20, warmup_steps=5),
        trainer=TrainerConfig(
            ema_decay=0.9, threads=1, log_steps=5, save_steps=4, evaluate_steps=10, measure_mfu=False
        ),
    )
