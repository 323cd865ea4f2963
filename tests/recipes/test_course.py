import json

import pytest

from worldloom.cli import main
from worldloom.core.error import UsageError
from worldloom.generate.pipeline import Pipeline
from worldloom.recipes import registry
from worldloom.recipes.course import COURSES, _batches, follow, stages
from worldloom.recipes.registry import recipe_named


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished course of toy models on ten real takes."""
    folder = tmp_path_factory.mktemp("course") / "debug"
    follow("debug", {"takes": "10", "seed": "40"}, folder, quiet=True)
    return folder


@pytest.mark.parametrize("name", sorted(COURSES))
def test_the_stages_are_recipes_and_share_all_the_minutes(name, tmp_path):
    course = COURSES[name]()
    assert course.name == name and tuple(sorted(COURSES)) == registry.COURSES
    listed = list(stages(course, tmp_path))
    assert sum(stage.share for stage in listed) == pytest.approx(1)
    assert all(recipe_named(stage.recipe) for stage in listed)
    assert len({stage.name for stage in listed}) == len(listed)


def test_a_course_ends_in_weights_that_paint(folder):
    clip = Pipeline.from_pretrained(folder / "weights").generate("a red ball", num_frames=5, steps=2, seed=1)
    assert clip.frames.shape[0] == 5


def test_following_again_trains_nothing_more(folder, capsys):
    written = (folder / "weights" / "worldloom.json").stat().st_mtime_ns
    assert main(["train", "debug", "--takes=10", "--seed=40", "--run", str(folder), "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == str(folder)
    assert (folder / "weights" / "worldloom.json").stat().st_mtime_ns == written


def test_a_batch_is_multiplied_in_whatever_it_is_counted():
    assert _batches(recipe_named("text_tiny"), 4) == {"data.batch": "256"}
    assert _batches(recipe_named("dit_tiny"), 2) == {
        "data.batch_tokens": str(2 * recipe_named("dit_tiny").data.batch_tokens)
    }
    assert _batches(recipe_named("vae_tiny"), 1) == {}


def test_other_settings_are_refused_and_more_minutes_are_not(folder):
    with pytest.raises(UsageError, match="other settings"):
        follow("debug", {"takes": "11", "seed": "40"}, folder, quiet=True)
    with pytest.raises(UsageError, match="holds a course already"):
        follow("debug", {"takes": "10", "seed": "40"}, folder, resume=False, quiet=True)
    with pytest.raises(UsageError, match="allowed: name, takes"):
        follow("debug", {"take": "10"}, folder, quiet=True)
