"""`worldloom evaluate SUITE`: one table, and a folder with every case and contact sheets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldloom.core.device import resolve_device
from worldloom.core.error import UsageError
from worldloom.core.file import write_json
from worldloom.core.picture import write_picture
from worldloom.evaluate.examples import (
    SEED_BASE,
    Example,
    load_examples,
    render_examples,
    save_examples,
)
from worldloom.evaluate.judge import Judge, JudgeConfig
from worldloom.evaluate.judge_training import JudgeTraining, measure_judge, train_judge
from worldloom.evaluate.prompts import PromptSuite, confusions, describe, rows, run_prompts, sheets
from worldloom.evaluate.reconstruction import FRAMES, evaluate_reconstruction
from worldloom.evaluate.table import judge_text, prompts_text, reconstruction_text
from worldloom.generate.folder import find_folder
from worldloom.generate.pipeline import Pipeline
from worldloom.vae.autoencoder import Autoencoder
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.look import COLOURS

SUITES = ("prompts", "autoencoder", "judge")
JUDGE = Path(__file__).parents[1] / "weights" / "judge" / "judge.safetensors"
HELD_OUT = SEED_BASE + 10**9
"""World seeds of the examples that the judge is tested on; it is trained on those from SEED_BASE."""
NO_MODEL = "none"
"""Model name that judges the real renders alone."""


@dataclass(frozen=True)
class Painting:
    """How the model is asked to paint; None is its own default."""

    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    device: str = "auto"


def evaluate(
    suite: str,
    model: str = "tiny",
    *,
    output: Path,
    prompts: PromptSuite | None = None,
    painting: Painting | None = None,
    takes: int = 200,
    judge: Path = JUDGE,
    force: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], str]:
    """Run a suite on a model; returns the result as plain values and as a table, and writes it into `output`.

    `model` is a name of the package, a checkpoint folder, or "none" for the ceiling alone. The folder gets
    `prompts.json` (every case) and `prompts-FAMILY.png`, or `autoencoder.json`; `takes` is for the autoencoder.

    Raises:
        UsageError: unknown suite, an output that exists, no judge.
    """
    if suite not in SUITES:
        raise UsageError(f"no suite called {suite!r}; there are {', '.join(SUITES)}")
    if suite == "judge":
        return make_judge(judge, force=force, quiet=quiet)
    prompts, painting = prompts or PromptSuite(), painting or Painting()
    report = output / f"{suite}.json"
    if report.exists() and not force:
        raise UsageError(f"{report} exists already; give another folder or --force to replace it")
    if suite == "autoencoder":
        return judge_autoencoder(model, report, takes=takes, device=painting.device, quiet=quiet)
    if not judge.is_file():
        raise UsageError(f"there is no judge at {judge}; `worldloom evaluate judge` trains one")
    judging, accuracy = Judge.load(judge)
    paint, told = _painter(model, prompts, painting)
    start = time.monotonic()
    answers = run_prompts(prompts, judging, paint, quiet)
    result = {
        "suite": suite,
        "model": model,
        "settings": asdict(prompts),
        "painting": told,
        "judge": accuracy,
        "rows": rows(answers),
        "confused": confusions(answers),
        "seconds": round(time.monotonic() - start, 1),
    }
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


def _painter(
    model: str, prompts: PromptSuite, painting: Painting
) -> tuple[Callable[[str, int], np.ndarray] | None, str]:
    if model == NO_MODEL:
        return None, "real renders only"
    pipeline = Pipeline.from_pretrained(model, device=painting.device)
    chosen = {"num_steps": painting.steps, "guidance_scale": painting.guidance, "sampler": painting.sampler}
    sampling = asdict(pipeline.card.sampling) | {
        name: value for name, value in chosen.items() if value is not None
    }

    def paint(prompt: str, seed: int) -> np.ndarray:
        clip = pipeline.generate(
            prompt,
            num_frames=prompts.num_frames,
            size=(prompts.width, prompts.height),
            seed=seed,
            steps=painting.steps,
            guidance=painting.guidance,
            sampler=painting.sampler,
        )
        return clip.frames

    return paint, ", ".join(f"{name} {value}" for name, value in sampling.items())


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
