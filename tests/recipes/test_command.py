import json

from worldloom.core.config import to_dict
from worldloom.recipes.command import _stored
from worldloom.recipes.registry import recipe_named


def test_a_run_keeps_its_recipe_and_takes_new_fields_from_the_code(tmp_path):
    recipe = recipe_named("vae_debug")
    stored = to_dict(recipe)
    stored["optimizer"]["learning_rate"] = 0.5
    del stored["trainer"]["keep_checkpoints"]  # as if the run were older than that field
    (tmp_path / "config.json").write_text(json.dumps({"recipe": "vae_debug", "config": stored}))
    resumed = _stored(recipe, tmp_path)
    assert resumed.optimizer.learning_rate == 0.5
    assert resumed.trainer.keep_checkpoints == recipe.trainer.keep_checkpoints
    assert _stored(recipe, tmp_path / "new") is recipe
