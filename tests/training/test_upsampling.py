"""An upsampler learns, and a run goes on from the weights of another."""

import math
from pathlib import Path

import pytest
import torch

from worldloom.core.error import UsageError
from worldloom.generate.upsampler import Upsampler
from worldloom.recipes.command import train


def run(folder: Path, run: Path, **changes: str) -> Upsampler:
    """The averaged weights after a short run."""
    train("upsampler_debug", {"data.folders": str(folder), "schedule.steps": "8", **changes}, run, quiet=True)
    return Upsampler.load(run / "ema" / "upsampler")


def distance(first: Upsampler, second: Upsampler) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return math.sqrt(sum(float((a - b).square().sum()) for a, b in pairs))


def test_a_run_begins_with_the_weights_of_another(folder: Path, tmp_path: Path) -> None:
    first = run(folder, tmp_path / "first")
    assert any(p.abs().sum() > 0 for p in first.conv_out.parameters())  # zeros at first
    careful = {"optimizer.learning_rate": "1e-6", "optimizer.matrix_rate": "1e-6"}
    other_seed = {"trainer.seed": "5", **careful}
    on = run(folder, tmp_path / "on", start_from=str(tmp_path / "first" / "ema"), **other_seed)
    anew = run(folder, tmp_path / "anew", **other_seed)
    assert distance(first, on) < 0.01 < 0.5 < distance(first, anew)


def test_weights_of_another_shape_are_refused(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    run(folder, tmp_path / "first")
    with pytest.raises(UsageError, match=r"holds an upsampler of .*width=8.*the recipe has .*width=16"):
        run(folder, tmp_path / "wide", **{"start_from": str(tmp_path / "first" / "ema"), "model.width": "16"})
    assert not (tmp_path / "wide" / "ema").exists()
