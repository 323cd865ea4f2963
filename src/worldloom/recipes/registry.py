"""Every recipe by name."""

from collections.abc import Callable
from typing import Any

from worldloom.core.error import UsageError
from worldloom.recipes.dit_tiny import dit_debug, dit_fast, dit_fast_debug, dit_pictures, dit_tiny
from worldloom.recipes.scaling import scaling_1, scaling_4, scaling_12, scaling_32
from worldloom.recipes.text_tiny import text_debug, text_tiny
from worldloom.recipes.upsampler_tiny import upsampler_debug, upsampler_tiny
from worldloom.recipes.vae_tiny import vae_close, vae_debug, vae_tiny, vae_white
from worldloom.training.objective import Recipe

# Any: what a recipe's objective prepares for a step is its own affair, and a protocol cannot say "the same type twice".
_MAKERS: tuple[Callable[[], Any], ...] = (
    vae_tiny,
    vae_white,
    vae_close,
    vae_debug,
    text_tiny,
    text_debug,
    dit_pictures,
    dit_tiny,
    dit_debug,
    dit_fast,
    dit_fast_debug,
    scaling_1,
    scaling_4,
    scaling_12,
    scaling_32,
    upsampler_tiny,
    upsampler_debug,
)
COURSES = ("debug", "tiny")
"""Names of what `course.py` follows; here, since a course renders and recipes run where no simulator is installed."""
RECIPES = {make.__name__: make for make in _MAKERS}


def recipe_named(name: str) -> Recipe:
    """The recipe `name`; raises UsageError with the names there are."""
    if name not in RECIPES:
        raise UsageError(
            f"{name!r} is neither a course ({', '.join(COURSES)}) nor a recipe ({', '.join(sorted(RECIPES))})"
        )
    return RECIPES[name]()
