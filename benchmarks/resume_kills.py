"""Kill a training run again and again, resume it, and compare its last weights with the unbroken run's.

    python -m benchmarks.resume_kills --recipe vae_debug --kills 20

Each attempt is killed with SIGKILL at a random moment of what an attempt takes, start-up, steps, checkpoint
writing and evaluation included. A run that reaches its end is compared and a new one begun until all kills are
spent. The printed table says where the kills fell.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.moving_shapes import write_dataset
from worldloom.core.file import sha256_of
from worldloom.recipes.command import train

FILES = ("model.safetensors", "ema.safetensors", "optimizer.safetensors")


@dataclass
class Report:
    """What happened: the reference hashes, those of every finished run, and the step each kill found on disk."""

    reference: dict[str, str]
    finished: list[dict[str, str]] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether every run ended like the unbroken one."""
        return bool(self.finished) and all(hashes == self.reference for hashes in self.finished)


def kill_and_resume(recipe: str, overrides: dict[str, str], folder: Path, kills: int, seed: int) -> Report:
    """Run `recipe` unbroken and then with `kills` kills, in subfolders of `folder`."""
    moments = random.Random(seed)
    began = time.monotonic()
    _finish(_start(recipe, overrides, folder / "unbroken"))
    duration = time.monotonic() - began
    report = Report(_hashes(folder / "unbroken"))
    number, run = 0, folder / "broken-0"
    while len(report.kills) < kills:
        process = _start(recipe, overrides, run)
        process.join(moments.uniform(0.0, duration))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            report.kills.append(_whereabouts(run))
        else:
            report.finished.append(_hashes(run))
            shutil.rmtree(run)
            number += 1
            run = folder / f"broken-{number}"
    _finish(_start(recipe, overrides, run))
    report.finished.append(_hashes(run))
    return report


def _start(recipe: str, overrides: dict[str, str], run: Path) -> multiprocessing.Process:
    # The server process imports torch once; each attempt is a fresh fork of it, so kills fall on training.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["worldloom.recipes.command", "torch.utils.tensorboard"])
    process = context.Process(target=_attempt, args=(recipe, overrides, run))
    process.start()
    return process


def _attempt(recipe: str, overrides: dict[str, str], run: Path) -> None:
    train(recipe, overrides, run, quiet=True)


def _finish(process: multiprocessing.Process) -> None:
    process.join()
    if process.exitcode:
        raise SystemExit(f"an attempt ended with exit code {process.exitcode}")


def _hashes(run: Path) -> dict[str, str]:
    last = run / "checkpoints" / (run / "latest").read_text().strip()
    return {name: sha256_of(last / name) for name in FILES}


def _whereabouts(run: Path) -> str:
    folder = run / "checkpoints"
    whole = sorted(p.name for p in folder.glob("step-*"))
    writing = any(folder.glob(".step-*.part"))
    return (whole[-1] if whole else "before the first checkpoint") + (" (while writing)" if writing else "")


def main() -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="vae_debug")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = write_dataset(Path(scratch) / "data", [(9, 32, 48), (5, 32, 32), (1, 32, 32)], per_shape=12)
        overrides = {"data.folders": str(data)}
        report = kill_and_resume(options.recipe, overrides, Path(scratch), options.kills, options.seed)
    for number, place in enumerate(report.kills, start=1):
        print(f"kill {number:3d}: newest checkpoint {place}")
    for name, digest in report.reference.items():
        print(f"{name:24s} {digest}")
    print(f"{len(report.kills)} kills, {len(report.finished)} runs finished, equal: {report.equal}")
    return 0 if report.equal else 1


if __name__ == "__main__":
    sys.exit(main())
