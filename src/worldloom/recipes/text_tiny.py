"""The text encoder in the package, which learns to read before the transformer does, and a toy one for tests."""

from dataclasses import replace

from worldloom.text import presets
from worldloom.training.guard import GuardConfig
from worldloom.training.objective import TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.reading import CaptionDataConfig, ReadingRecipe
from worldloom.training.schedule import ScheduleConfig

VOCABULARY = 4096


def text_tiny() -> ReadingRecipe:
    """A quarter of an hour on one CPU core: 64 captions a batch, in both languages and all lengths.

    The biases that tell where a word stands are few and must grow large: they learn ten times as fast as the rest.
    """
    return ReadingRecipe(
        name="text_tiny",
        text=presets.tiny(VOCABULARY),
        data=CaptionDataConfig(("datasets/tiny",), "datasets/cache", batch=64, vocab_size=VOCABULARY),
        words=0.003,
        pressing=("camera", "outcome", "direction", "things", "of a kind"),
        optimizer=OptimizerConfig(
            matrix_rate=3e-3,
            learning_rate=2e-3,
            betas=(0.9, 0.98),
            paced=("relative_attention_bias",),
            pace=10.0,
        ),
        schedule=ScheduleConfig(minutes=15, warmup_steps=20, decay_fraction=0.4, decay="cosine"),
        guard=GuardConfig(),
        trainer=TrainerConfig(ema_decay=0.98, evaluate_minutes=2, log_steps=20),
    )


def text_debug() -> ReadingRecipe:
    """The same path in seconds: toy widths, twenty steps, saving all the time."""
    tiny = text_tiny()
    return replace(
        tiny,
        name="text_debug",
        text=presets.debug(VOCABULARY),
        data=replace(
            tiny.data,
            folders=("datasets/debug",),
            cache="datasets/cache-debug",
            batch=4,
            heldout_permille=200,
            evaluated=3,
            vocab_size=2048,
        ),
        schedule=ScheduleConfig(steps=20, warmup_steps=5),
        trainer=TrainerConfig(
            ema_decay=0.9, threads=1, log_steps=5, save_steps=4, evaluate_steps=10, measure_mfu=False
        ),
    )
