"""The upsampler in the package, twice the width and height, and a toy one for tests."""

from dataclasses import replace

from worldloom.data.dataset import CropConfig
from worldloom.generate.upsampler import UpsamplerConfig
from worldloom.training.guard import GuardConfig
from worldloom.training.objective import TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.reconstruction import ClipDataConfig
from worldloom.training.schedule import ScheduleConfig
from worldloom.training.upsampling import UpsamplingRecipe, WearConfig


def upsampler_tiny() -> UpsamplingRecipe:
    """Half an hour on one CPU core over 256-pixel takes (`worldloom worlds dataset -o datasets/large --scale 2`)."""
    return UpsamplingRecipe(
        name="upsampler_tiny",
        model=UpsamplerConfig(),
        data=ClipDataConfig(("datasets/large",), CropConfig(5, 128, 128), batch_pixels=4 * 5 * 128 * 128),
        wear=WearConfig(),
        optimizer=OptimizerConfig(matrix_rate=2e-3, learning_rate=1e-3),
        schedule=ScheduleConfig(minutes=30, warmup_steps=20, decay_fraction=0.5, decay="cosine"),
        guard=GuardConfig(),
        # in bf16 oneDNN 3.12 returns broken gradients of the last layer, 12 channels from 1x3x3 (docs/pitfalls.md)
        trainer=TrainerConfig(ema_decay=0.99, evaluate_minutes=3, precision="float32"),
    )


def upsampler_debug() -> UpsamplingRecipe:
    """The same path in seconds."""
    tiny = upsampler_tiny()
    return replace(
        tiny,
        name="upsampler_debug",
        model=UpsamplerConfig(width=8, depth=1),
        data=replace(
            tiny.data,
            folders=("datasets/debug",),
            crop=CropConfig(5, 32, 32),
            batch_pixels=2 * 5 * 32 * 32,
            heldout_permille=200,
            evaluated=2,
        ),
        schedule=ScheduleConfig(steps=30, warmup_steps=5),
        trainer=replace(
            tiny.trainer,
            ema_decay=0.9,
            threads=1,
            log_steps=5,
            save_steps=10,
            evaluate_steps=30,
            measure_mfu=False,
        ),
    )
