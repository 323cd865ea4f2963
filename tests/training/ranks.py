"""One rank of a data-parallel run, started by torchrun from a test: trains, then compares the ranks' weights."""

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
    if parallel.leads:
        (Path(run) / "ranks.json").write_text(json.dumps({"difference": difference, "world": parallel.world}))
    parallel.leave()


if __name__ == "__main__":
    main()
