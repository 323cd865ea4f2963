"""One rank of a data-parallel run, started by torchrun from a test: trains, then compares the ranks' weights and leaves the group."""

import json
import sys
from pathlib import Path

from worldloom.core.config import override
from worldloom.recipes.registry import recipe_named
from worldloom.training.parallel import flat_difference, join
from worldloom.training.trainer import Trainer, claim


def main() -> None:
    run, *arguments = sys.argv[1:]
    recipe = override(recipe_named("vae_debug"), dict(a.split("=", 1) for a in arguments))
    parallel = join("cpu")
    if parallel.leads:
        claim(recipe, Path(run), resume=True)
    parallel.wait()
    trainer = Trainer(recipe, Path(run), parallel, quiet=True)
    trainer.run()
    difference = flat_difference(trainer.objective.module, parallel)
    parallel.leave()
    if parallel.leads:
        found = {"difference": difference, "world": parallel.world, "left": gloo_threads()}
        (Path(run) / "ranks.json").write_text(json.dumps(found))


def gloo_threads() -> list[str]:
    """Names of the process group's threads that run in this process (where the system tells)."""
    names = [(t / "comm").read_text().strip() for t in Path("/proc/self/task").glob("*")]
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    main()
