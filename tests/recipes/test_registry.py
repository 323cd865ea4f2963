import pytest

from worldloom.core.config import from_dict, override, to_dict
from worldloom.core.error import UsageError
from worldloom.recipes.registry import RECIPES, recipe_named
from worldloom.training.objective import Recipe
from worldloom.training.schedule import check


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_is_complete_and_survives_being_written_down(name):
    recipe = recipe_named(name)
    assert isinstance(recipe, Recipe) and recipe.name == name
    check(recipe.schedule)
    assert from_dict(type(recipe), to_dict(recipe)) == recipe


def test_fields_are_changed_by_name():
    recipe = override(
        recipe_named("dit_tiny"), {"mask.first": "30", "data.folders": "a,b", "optimizer.kind": "adamw"}
    )
    assert recipe.mask.first == 30 and recipe.data.folders == ("a", "b") and recipe.optimizer.kind == "adamw"


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(
        UsageError,
        match=r"dit_debug, dit_fast, dit_fast_debug, dit_pictures, dit_tiny, scaling_1, .*, text_debug, text_tiny, .*, vae_debug, vae_tiny",
    ):
        recipe_named("tiny")
    with pytest.raises(UsageError, match="allowed: nothing, first, prefix"):
        override(recipe_named("dit_tiny"), {"mask.frist": "30"})
