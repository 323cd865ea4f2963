"""`worldloom evaluate SUITE`: one table, and a folder with every case and contact sheets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldloom.core.device import resolve_device
from worldloom.core.error import UsageError
from worldloom.core.file import write_json
from worldloom.core.picture import write_picture
from worldloom.evaluate.distribution import run_distribution
from worldloom.evaluate.examples import (
    SEED_BASE,
    Example,
    load_examples,
    render_examples,
    save_examples,
)
from worldloom.evaluate.footage import FootageSuite
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.judge_training import JudgeTraining, measure_judge, train_judge
from worldloom.evaluate.motion import run_motion
from worldloom.evaluate.prompts import PromptSuite, confusions, describe, rows, run_prompts, sheets
from worldloom.evaluate.reconstruction import FRAMES, evaluate_reconstruction
from worldloom.evaluate.studio import Painting, Studio, open_studio
from worldloom.evaluate.suite import SuiteResult
from worldloom.evaluate.table import judge_text, prompts_text, reconstruction_text, suite_text
from worldloom.evaluate.verb_cases import VerbSuite
from worldloom.evaluate.verbs import run_verbs
from worldloom.generate.folder import find_folder
from worldloom.vae.autoencoder import Autoencoder
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS

JUDGE = Path(__file__).parents[1] / "weights" / "judge" / "judge.safetensors"
HELD_OUT = SEED_BASE + 10**9
"""World seeds of the examples that the judge is tested on; it is trained on those from SEED_BASE."""


@dataclass(frozen=True)
class Bench:
    """What a suite is run with; counts of None are the suite's own."""

    studio: Studio | None
    judge: Path
    takes: int | None = None
    seed: int = 0
    quiet: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Settings of a suite that are chosen here."""
        return {"seed": self.seed} | ({} if self.takes is None else {"takes": self.takes})

    def with_judge(self, run: Callable[[Judge], SuiteResult]) -> SuiteResult:
        """Return the result of a suite that needs the judge, with the judge's hash among its settings."""
        judge, accuracy = load_judge(self.judge)
        result = run(judge)
        return replace(result, settings={**result.settings, "judge": accuracy["sha256"][:12]})


def _verbs(bench: Bench) -> SuiteResult:
    return run_verbs(VerbSuite(**bench.counts), bench.studio, quiet=bench.quiet)


def _motion(bench: Bench) -> SuiteResult:
    suite = FootageSuite(**bench.counts)
    return bench.with_judge(lambda judge: run_motion(suite, judge, bench.studio, quiet=bench.quiet))


def _distribution(bench: Bench) -> SuiteResult:
    suite = FootageSuite(**bench.counts)
    return bench.with_judge(lambda judge: run_distribution(suite, judge, bench.studio, quiet=bench.quiet))


MEASURES: dict[str, Callable[[Bench], SuiteResult]] = {
    "verbs": _verbs,
    "motion": _motion,
    "distribution": _distribution,
}
"""Suites in the shape that all share."""
SUITES = ("prompts", *MEASURES, "autoencoder", "judge")


def evaluate(
    suite: str,
    model: str = "tiny",
    *,
    output: Path,
    prompts: PromptSuite | None = None,
    painting: Painting | None = None,
    takes: int | None = None,
    seed: int = 0,
    judge: Path = JUDGE,
    clips: Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], str]:
    """Run a suite on a model; returns the result as plain values and as a table, and writes it into `output`.

    `model` is a name of the package, a checkpoint folder, or "none" for the ceiling alone. `takes` and `seed` are the
    suite's. The folder gets `SUITE.json` with every case and `SUITE-NAME.png` for each contact sheet. Painted clips
    are kept in `clips`, by default `clips` in `output`: what was interrupted goes on from there.

    Raises:
        UsageError: unknown suite, an output that exists, no judge.
    """
    if suite not in SUITES:
        raise UsageError(f"no suite called {suite!r}; there are {', '.join(SUITES)}")
    if suite == "judge":
        return make_judge(judge, force=force, quiet=quiet)
    painting = painting or Painting()
    report = output / f"{suite}.json"
    if report.exists() and not force:
        raise UsageError(f"{report} exists already; give another folder or --force to replace it")
    if suite == "autoencoder":
        return judge_autoencoder(model, report, takes=takes or 200, device=painting.device, quiet=quiet)
    studio = open_studio(model, painting, output / "clips" if clips is None else clips)
    if suite == "prompts":
        asked = prompts or PromptSuite(**({} if takes is None else {"num": takes}), seed=seed)
        return judge_prompts(model, report, asked, studio, judge, quiet=quiet)
    result = MEASURES[suite](Bench(studio, judge, takes, seed, quiet))
    return {**result.plain(), "files": [str(path) for path in result.save(output)]}, suite_text(result)


def load_judge(path: Path) -> tuple[Judge, dict[str, Any]]:
    """Return the judge and its accuracy on held-out renders."""
    if not path.is_file():
        raise UsageError(f"there is no judge at {path}; `worldloom evaluate judge` trains one")
    return Judge.load(path)


def judge_prompts(
    model: str, report: Path, prompts: PromptSuite, studio: Studio | None, judge: Path, *, quiet: bool = False
) -> tuple[dict[str, Any], str]:
    """Ask the model the suite's prompts and judge its clips, and the takes that the prompts describe."""
    judging, accuracy = load_judge(judge)

    def paint(prompt: str, seed: int) -> np.ndarray:
        assert studio is not None
        size = (prompts.width, prompts.height)
        return studio.paint("generate", prompt, num_frames=prompts.num_frames, size=size, seed=seed)

    start = time.monotonic()
    answers = run_prompts(prompts, judging, None if studio is None else paint, quiet)
    settings = {} if studio is None else studio.settings
    result = {
        "suite": "prompts",
        "model": model,
        "settings": asdict(prompts),
        "painting": ", ".join(f"{name} {value}" for name, value in settings.items()) or "real renders only",
        "judge": accuracy,
        "rows": rows(answers),
        "confused": confusions(answers),
        "seconds": round(time.monotonic() - start, 1),
    }
    output = report.parent
    output.mkdir(parents=True, exist_ok=True)
    for family, picture in sheets(answers).items():
        write_picture(output / f"prompts-{family}.png", picture, force=True)
    write_json(report, {**result, "cases": describe(answers)})
    return {**result, "files": sorted(str(path) for path in output.glob("prompts*"))}, prompts_text(result)


def judge_autoencoder(
    model: str, report: Path, *, takes: int, device: str = "auto", quiet: bool = False
) -> tuple[dict[str, Any], str]:
    """Reconstruct held-out takes of all families; `model` may also be a folder with nothing but `vae/`."""
    start = time.monotonic()
    folder = Path(model) if (Path(model) / "vae").is_dir() else find_folder(model)
    vae = Autoencoder.load(folder / "vae", resolve_device(device)).eval()
    result = {
        "suite": "autoencoder",
        "model": model,
        "takes": takes,
        "first_seed": SEED_BASE,
        "num_frames": FRAMES,
        "rows": evaluate_reconstruction(vae, takes, quiet=quiet),
        "seconds": round(time.monotonic() - start, 1),
    }
    report.parent.mkdir(parents=True, exist_ok=True)
    write_json(report, result)
    return result, reconstruction_text(result)


def make_judge(
    path: Path = JUDGE,
    *,
    takes: int = 1800,
    held_out: int = 240,
    training: JudgeTraining | None = None,
    cache: Path | None = None,
    workers: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], str]:
    """Train the judge on freshly rendered takes, measure it on held-out ones, and save it with its accuracy.

    `cache` is a folder that keeps the rendered examples for another run with the same families and counts.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} exists already; give --force to replace it")
    training = training or JudgeTraining()
    config = JudgeConfig(tuple(FAMILIES), tuple(COLOURS))
    start = time.monotonic()
    examples = _examples(takes, SEED_BASE, cache, workers, quiet)
    tests = _examples(held_out, HELD_OUT, cache, workers, quiet)
    rendered = time.monotonic()
    threads = torch.get_num_threads()
    judge = train_judge(examples, config, training, quiet)
    trained = time.monotonic()
    report = measure_judge(judge, tests) | {
        "takes": takes,
        "training": asdict(training),
        "threads": threads,
        "seconds": {"render": round(rendered - start, 1), "train": round(trained - rendered, 1)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    sha256 = judge.save(path, report)
    return {"suite": "judge", "file": str(path), "sha256": sha256, **report}, judge_text(report)


def _examples(count: int, first_seed: int, cache: Path | None, workers: int, quiet: bool) -> list[Example]:
    path = None if cache is None else cache / f"judge-{len(FAMILIES)}-{first_seed - SEED_BASE}-{count}.npz"
    if path is not None and path.exists():
        return load_examples(path)
    examples = render_examples(count, first_seed, workers=workers, quiet=quiet)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_examples(examples, path)
    return examples
