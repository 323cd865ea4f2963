"""`worldloom evaluate SUITE`: one table, and a folder with every case, contact sheets and a page of it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from worldloom.core.device import resolve_device
from worldloom.core.error import UsageError
from worldloom.evaluate.causes import CauseSuite, run_causes
from worldloom.evaluate.distribution import run_distribution
from worldloom.evaluate.drift import DriftSuite, run_drift
from worldloom.evaluate.footage import FootageSuite
from worldloom.evaluate.gallery import run_gallery
from worldloom.evaluate.judge import Judge
from worldloom.evaluate.judge_training import judge_result, load_judge, make_judge
from worldloom.evaluate.motion import run_motion
from worldloom.evaluate.physics import Continue, PhysicsSuite, run_physics
from worldloom.evaluate.prompts import Painter, PromptSuite, run_prompts
from worldloom.evaluate.reconstruction import run_reconstruction
from worldloom.evaluate.report import write_report
from worldloom.evaluate.studio import NO_MODEL, Painting, Studio, open_studio
from worldloom.evaluate.suite import SuiteResult
from worldloom.evaluate.table import suite_text
from worldloom.evaluate.verb_cases import VerbSuite
from worldloom.evaluate.verbs import run_verbs
from worldloom.generate.clip import Clip
from worldloom.generate.folder import CARD_FILE, find_folder, load_card
from worldloom.vae.autoencoder import Autoencoder
from worldloom.worlds.plan import LONG

JUDGE = Path(__file__).parents[1] / "weights" / "judge" / "judge.safetensors"
SIZE = (128, 128)


@dataclass(frozen=True)
class Bench:
    """What a suite is run with; counts of None are the suite's own."""

    model: str
    studio: Studio | None
    judge: Path
    takes: int | None = None
    seed: int = 0
    device: str = "auto"
    quiet: bool = False

    @property
    def num_frames(self) -> int:
        """Frames of a clip: two seconds, or as many as the model was trained on."""
        return LONG if self.studio is None else min(LONG, self.studio.card.longest)

    @property
    def frame(self) -> dict[str, Any]:
        """Width and height of a clip: the size of most takes, or the model's own first."""
        if self.studio is None or SIZE in self.studio.card.trained_sizes:
            return {"width": SIZE[0], "height": SIZE[1]}
        size = self.studio.card.trained_sizes[0]
        return {"width": size.width, "height": size.height}

    def counts(self, name: str = "takes") -> dict[str, Any]:
        """Settings of a suite that are chosen here; it calls its count `name`."""
        return {"seed": self.seed} | ({} if self.takes is None else {name: self.takes})

    @property
    def settings(self) -> dict[str, Any]:
        return {} if self.studio is None else self.studio.settings

    def with_judge(self, run: Callable[[Judge], SuiteResult]) -> SuiteResult:
        """Return the result of a suite that needs the judge, with the judge's hash among its settings."""
        judge, accuracy = load_judge(self.judge)
        result = run(judge)
        return replace(result, settings={**result.settings, "judge": accuracy["sha256"][:12]})

    @property
    def paint(self) -> Painter | None:
        """The model as a painter of prompts."""
        if self.studio is None:
            return None
        paint, frames, size = self.studio.paint, self.num_frames, (self.frame["width"], self.frame["height"])
        return lambda prompt, seed: paint("generate", prompt, num_frames=frames, size=size, seed=seed)

    @property
    def go_on(self) -> Continue | None:
        """The model as a continuer of frames."""
        if self.studio is None:
            return None
        paint, fps = self.studio.paint, self.studio.card.fps

        def go_on(given: np.ndarray, prompt: str, count: int, seed: int) -> np.ndarray:
            clip = Clip(given, Fraction(fps))
            return paint("extend", clip, num_frames=count, prompt=prompt, seed=seed)[len(given) :]

        return go_on


def _judge(bench: Bench) -> SuiteResult:
    return judge_result(bench.judge, bench.takes or 273, quiet=bench.quiet)


def _autoencoder(bench: Bench) -> SuiteResult:
    if bench.model == NO_MODEL:
        raise UsageError("the autoencoder suite needs a model; give --model")
    folder = Path(bench.model) if (Path(bench.model) / "vae").is_dir() else find_folder(bench.model)
    vae = Autoencoder.load(folder / "vae", resolve_device(bench.device)).eval()
    passes = load_card(folder).encode_passes if (folder / CARD_FILE).is_file() else 1
    return run_reconstruction(vae, bench.model, bench.takes or 200, passes, quiet=bench.quiet)


def _prompts(bench: Bench) -> SuiteResult:
    suite = PromptSuite(num_frames=bench.num_frames, **bench.frame, **bench.counts("num"))
    held_out = () if bench.studio is None else bench.studio.card.held_out
    return bench.with_judge(
        lambda judge: run_prompts(
            suite, judge, bench.paint, bench.model, held_out, bench.settings, quiet=bench.quiet
        )
    )


def _physics(bench: Bench) -> SuiteResult:
    suite = PhysicsSuite(num_frames=bench.num_frames, **bench.frame, **bench.counts("num"))
    return bench.with_judge(
        lambda judge: run_physics(suite, judge, bench.go_on, bench.model, bench.settings, bench.quiet)
    )


def _causes(bench: Bench) -> SuiteResult:
    suite = CauseSuite(num_frames=bench.num_frames, **bench.frame, **bench.counts("num"))
    return bench.with_judge(
        lambda judge: run_causes(suite, judge, bench.go_on, bench.model, bench.settings, bench.quiet)
    )


def _verbs(bench: Bench) -> SuiteResult:
    return run_verbs(VerbSuite(**bench.counts()), bench.studio, quiet=bench.quiet)


def _motion(bench: Bench) -> SuiteResult:
    suite = FootageSuite(num_frames=bench.num_frames, **bench.frame, **bench.counts())
    return bench.with_judge(lambda judge: run_motion(suite, judge, bench.studio, quiet=bench.quiet))


def _distribution(bench: Bench) -> SuiteResult:
    suite = FootageSuite(num_frames=bench.num_frames, **bench.frame, **bench.counts())
    return bench.with_judge(lambda judge: run_distribution(suite, judge, bench.studio, quiet=bench.quiet))


def _drift(bench: Bench) -> SuiteResult:
    if bench.studio is None:
        raise UsageError("the drift suite measures what a model paints; give --model")
    return run_drift(DriftSuite(**bench.counts("runs")), bench.studio, quiet=bench.quiet)


def _gallery(bench: Bench) -> SuiteResult:
    if bench.paint is None:
        raise UsageError("the gallery shows what a model paints; give --model")
    return run_gallery(bench.paint, bench.model, bench.num_frames, bench.settings, quiet=bench.quiet)


MEASURES: dict[str, Callable[[Bench], SuiteResult]] = {
    "judge": _judge,
    "autoencoder": _autoencoder,
    "prompts": _prompts,
    "physics": _physics,
    "causes": _causes,
    "motion": _motion,
    "distribution": _distribution,
    "verbs": _verbs,
    "drift": _drift,
    "gallery": _gallery,
}
PAINTED = ("autoencoder", "drift", "gallery")
"""Suites that have nothing to say of real renders alone."""
SUITES = (*MEASURES, "all", "report")


def evaluate(
    suite: str,
    model: str = "tiny",
    *,
    output: Path,
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
    suite's. The folder gets `SUITE.json` with every case, `SUITE-NAME.png` for each contact sheet, and `report.html`
    of all results that are in it; "report" writes that page alone, "all" runs every suite (those whose result is there
    already are left as they are unless `force`). Painted clips are kept in `clips`, by default `clips` in `output`:
    what was interrupted goes on from there.

    Raises:
        UsageError: unknown suite, an output that exists, no judge.
    """
    if suite not in SUITES:
        raise UsageError(f"no suite called {suite!r}; there are {', '.join(SUITES)}")
    if suite == "report":
        return {"suite": suite, "files": [str(write_report(output))]}, ""
    names = [suite]
    if suite == "all":
        names = [name for name in MEASURES if model != NO_MODEL or name not in PAINTED]
        names = [name for name in names if force or not (output / f"{name}.json").exists()]
    if (output / f"{suite}.json").exists() and not force:
        raise UsageError(
            f"{output / f'{suite}.json'} exists already; give another folder or --force to replace it"
        )
    painting = painting or Painting()
    studio = None
    if {*names} - {"judge", "autoencoder"}:
        studio = open_studio(model, painting, output / "clips" if clips is None else clips)
    bench = Bench(model, studio, judge, takes, seed, painting.device, quiet)
    results, files = [], []
    for name in names:
        results.append(MEASURES[name](bench))
        files += results[-1].save(output)
    files.append(write_report(output))
    plain = {"suite": suite, "results": [result.plain() for result in results]}
    plain = plain if suite == "all" else results[0].plain()
    return {**plain, "files": [str(path) for path in files]}, "\n\n".join(map(suite_text, results))


def train_judge_anew(
    path: Path = JUDGE, *, data: tuple[Path, ...] = (), force: bool = False, quiet: bool = False
) -> tuple[dict[str, Any], str]:
    """Train the judge on rendered takes, and on those of the dataset folders `data`; measure it and save it."""
    result = make_judge(path, data=data, force=force, quiet=quiet)
    return result.plain(), suite_text(result)
