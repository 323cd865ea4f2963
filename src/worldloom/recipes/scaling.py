"""Four transformers a factor of two to four in compute apart, from nothing, for loss against compute.

All else is `dit_tiny`: data, latents, captions, masks, rates. Widths and steps were chosen so that operations of training
are about 1, 4, 12 and 32 times those of the smallest, 2e12. `python -m benchmarks.scaling` draws the runs.
"""

from dataclasses import replace

from worldloom.recipes.dit_tiny import dit_tiny
from worldloom.training.denoising import DenoisingRecipe
from worldloom.training.preview import PreviewConfig
from worldloom.training.schedule import ScheduleConfig


def scaling_1() -> DenoisingRecipe:
    """Width 128, three blocks."""
    return _scaled("scaling_1", width=128, heads=2, depth=3, steps=110)


def scaling_4() -> DenoisingRecipe:
    """Width 192, four blocks."""
    return _scaled("scaling_4", width=192, heads=3, depth=4, steps=150)


def scaling_12() -> DenoisingRecipe:
    """Width 256, five blocks."""
    return _scaled("scaling_12", width=256, heads=4, depth=5, steps=190)


def scaling_32() -> DenoisingRecipe:
    """The shape of `tiny` but for a block: width 384, five blocks."""
    return _scaled("scaling_32", width=384, heads=6, depth=5, steps=270)


def _scaled(name: str, width: int, heads: int, depth: int, steps: int) -> DenoisingRecipe:
    tiny = dit_tiny()
    shape = replace(tiny.transformer, hidden_size=width, num_heads=heads, depth=depth, ffn_size=4 * width)
    return replace(
        tiny,
        name=name,
        description="A step of the scaling of tiny; not for use.",
        transformer=shape,
        preview=PreviewConfig(from_text=1, from_picture=0),
        schedule=ScheduleConfig(
            steps=steps, warmup_steps=10, decay_fraction=0.4, decay="cosine", final_rate=0.05
        ),
        trainer=replace(tiny.trainer, ema_decay=0.97, evaluate_steps=-(-steps // 5)),
    )
