"""A course: every stage from nothing to a checkpoint folder, as one command that goes on where it was stopped.

`worldloom train tiny` renders takes, trains the autoencoder, whitens its latents and trains on, teaches the text
encoder to read, trains the transformer on pictures and then on clips, and exports what came out. Each stage is a
recipe and a run folder of its own, so everything that holds for a run (logs, samples, resuming) holds for it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from worldloom.core.config import from_dict, override, to_dict
from worldloom.core.error import UsageError
from worldloom.core.file import read_json, write_json
from worldloom.recipes.command import train
from worldloom.recipes.registry import recipe_named
from worldloom.training.export import export
from worldloom.training.trainer import Outcome
from worldloom.worlds.dataset import write_dataset
from worldloom.worlds.plan import DatasetPlan

SETTINGS = "course.json"
DESCRIPTION = "A small text-to-video model of simulated worlds, trained from scratch by worldloom."


@dataclass(frozen=True)
class Course:
    """How much of everything.

    `takes` are rendered, from world seed `seed` on; `minutes` of training are shared out among the stages (0 leaves
    each recipe its own length); `batch` multiplies every stage's batch, for machines with more to give: 32 suits one
    large GPU.
    """

    name: str
    takes: int
    seed: int = 0
    minutes: float = 0.0
    batch: int = 1


@dataclass(frozen=True)
class Stage:
    """One run: a recipe, changed, for its share of the course's minutes."""

    name: str
    recipe: str
    share: float
    changes: dict[str, str]


def tiny() -> Course:
    """What made the weights in the package: three hours of two CPU cores after rendering."""
    return Course("tiny", takes=5000, minutes=180.0)


def debug() -> Course:
    """The same stages with toy models, in a minute or two."""
    return Course("debug", takes=26)


COURSES: dict[str, Callable[[], Course]] = {"tiny": tiny, "debug": debug}


def follow(
    name: str, changes: Mapping[str, str], folder: Path, resume: bool = True, quiet: bool = False
) -> Outcome:
    """Bring a course to its end in `folder`; the weights lie in `folder`/weights, the last run's outcome is returned.

    Raises:
        UsageError: unknown course or field, or `folder` holds a course with other settings.
        Failure: damaged data or checkpoint, or a diverging run.
    """
    course = override(COURSES[name](), changes)
    _claim(course, folder, resume)
    takes = folder / "takes"
    write_dataset(DatasetPlan(course.takes, course.seed), takes, quiet=quiet)
    outcome = None
    for stage in stages(course, folder):
        recipe = recipe_named(stage.recipe)
        timed = {"schedule.minutes": f"{course.minutes * stage.share:g}"} if course.minutes else {}
        outcome = train(
            stage.recipe,
            _batches(recipe, course.batch) | timed | stage.changes,
            folder / stage.name,
            quiet=quiet,
        )
    assert outcome is not None, "a course has stages"
    weights = folder / "weights"
    if not weights.exists():
        card = f"# {name}\n\n{DESCRIPTION}\n\nTrained on {course.takes} takes by `worldloom train {name}`. Licence: Apache-2.0.\n"
        export(outcome.run / "ema", weights, name, DESCRIPTION, card)
    return replace(outcome, run=folder)


def stages(course: Course, folder: Path) -> Iterator[Stage]:
    """The runs of a course, in order; each begins with what those before it left."""
    data = {"data.folders": str(folder / "takes")}
    cached = data | {"data.cache": str(folder / "cache")}

    def weights(stage: str) -> str:
        return str(folder / stage / "ema")

    kind = course.name
    white, close = ("vae_white", "vae_close") if kind == "tiny" else ("vae_debug", "vae_debug")
    pictures = "dit_pictures" if kind == "tiny" else "dit_debug"
    yield Stage("autoencoder", f"vae_{kind}", 0.15, data)
    yield Stage("whitened", white, 0.2, data | {"start_from": weights("autoencoder"), "whiten": "true"})
    yield Stage("close", close, 0.15, data | {"start_from": weights("whitened"), "passes": "2"})
    yield Stage("reading", f"text_{kind}", 0.12, cached)
    latents = cached | {"data.vae": weights("close"), "data.text": weights("reading")}
    yield Stage("pictures", pictures, 0.15, latents | {"data.cut": "1"})
    yield Stage("clips", f"dit_{kind}", 0.23, latents | {"start_from": weights("pictures")})


def _batches(recipe: object, factor: int) -> dict[str, str]:
    """The changes that multiply a recipe's batch, whatever it is counted in."""
    data = to_dict(recipe)["data"]
    names = [name for name in ("batch", "batch_pixels", "batch_tokens") if name in data]
    return {f"data.{name}": str(data[name] * factor) for name in names} if factor > 1 else {}


def _claim(course: Course, folder: Path, resume: bool) -> None:
    """Make the course's folder, or check that the course in it is this one; more minutes may be given to it."""
    path = folder / SETTINGS
    if path.exists():
        stored = from_dict(Course, read_json(path))
        if not resume:
            raise UsageError(f"{folder} holds a course already; resume it or give another folder")
        if replace(stored, minutes=course.minutes) != course:
            raise UsageError(
                f"{folder} holds a course with other settings ({stored}); only its minutes may be changed"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, to_dict(course))
