from collections import Counter

import pytest
import torch

from worldloom.core.config import override
from worldloom.data.manifest import Manifest
from worldloom.recipes.registry import recipe_named
from worldloom.training.objective import Surroundings
from worldloom.training.parallel import Parallel
from worldloom.training.parts import compositions
from worldloom.worlds.composition import UNSEEN


@pytest.fixture
def green_is_unseen(monkeypatch):
    monkeypatch.setitem(UNSEEN, "square", "green")


def build(changes, run):
    recipe = override(recipe_named("dit_debug"), changes)
    return recipe.build(Surroundings(run, Parallel(0, 1, torch.device("cpu")), 0, quiet=True))


def test_compositions_come_from_the_truth(folder):
    found = Counter(compositions(Manifest.load([folder])))
    assert {family for family, _ in found} == {"square"}
    assert {colour for _, colour in found} == {"red", "green", "blue", "white"}


def test_a_composition_that_is_kept_for_asking_is_not_trained_on(green_is_unseen, dit_run, dit_changes):
    strict = build(dit_changes, dit_run)
    samples = strict.data.manifest.samples
    green = {n for n, (_, colour) in enumerate(compositions(strict.data.manifest)) if colour == "green"}
    assert green & set(range(len(samples))) and not green & set(strict.places)
    assert "square green" in strict._engine().card.held_out
    loose = build(dit_changes | {"data.leave_out": "false"}, dit_run)
    assert green & set(loose.places)
    assert "square green" not in loose._engine().card.held_out
