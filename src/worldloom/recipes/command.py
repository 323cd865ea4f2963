"""`worldloom train RECIPE`: the stored or named recipe, changed as asked, is run."""

import json as json_format
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from worldloom.core.config import from_dict, override, to_dict
from worldloom.core.error import UsageError
from worldloom.core.file import read_json
from worldloom.recipes.registry import recipe_named
from worldloom.training.objective import Recipe
from worldloom.training.trainer import Outcome, run


def train(
    recipe_name: str,
    overrides: Mapping[str, str],
    run_folder: Path,
    resume: bool = True,
    quiet: bool = False,
    json: bool = False,
) -> Outcome:
    """Train a recipe in `run_folder` and report the end on stdout as one JSON object or on stderr as a line.

    Going on with a run, the recipe is the one stored in it; `overrides` then change it further.

    Raises:
        UsageError: unknown recipe or field (the allowed names are in the message), or a run of another recipe.
        Failure: damaged checkpoint or data, or a diverging run.
    """
    recipe = override(_stored(recipe_named(recipe_name), run_folder), overrides)
    outcome = run(recipe, run_folder, resume, quiet)
    if json:
        print(json_format.dumps(asdict(outcome) | {"run": str(outcome.run)}))
    elif not quiet:
        print(
            f"{recipe_name}: {outcome.steps} steps in {outcome.minutes:.1f} min, last loss {outcome.loss:.4g}, "
            f"weights in {outcome.run / 'ema'}",
            file=sys.stderr,
        )
    return outcome


def _stored(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe kept in a run folder, or `recipe` itself for a new run."""
    path = folder / "config.json"
    if not path.exists():
        return recipe
    stored = read_json(path)
    if stored["recipe"] != recipe.name:
        raise UsageError(f"{folder} holds a run of {stored['recipe']}, not of {recipe.name}")
    # Fields that came into being after the run was started take the recipe's values.
    return from_dict(type(recipe), _filled(stored["config"], to_dict(recipe)))


def _filled(stored: Any, defaults: Any) -> Any:
    if not (isinstance(stored, dict) and isinstance(defaults, dict)):
        return stored
    return {**defaults, **{key: _filled(value, defaults.get(key)) for key, value in stored.items()}}
