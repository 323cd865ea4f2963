import json
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.resume_kills import FILES, kill_and_resume
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of
from worldloom.core.runlog import read_log
from worldloom.recipes.command import train

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]


def scalars(run, name):
    return {r["step"]: r["value"] for r in read_log(run) if r.get("name") == name}


def test_a_run_leaves_what_it_promises(vae_run):
    assert json.loads((vae_run / "config.json").read_text())["recipe"] == "vae_debug"
    assert (vae_run / "latest").read_text().strip() == "step-00000030"
    assert len(list((vae_run / "checkpoints").glob("step-*"))) == 2
    assert (vae_run / "ema" / "vae" / "diffusion_pytorch_model.safetensors").is_file()
    assert len(list((vae_run / "samples").glob("*.png"))) == 2
    losses = scalars(vae_run, "train/loss")
    assert sorted(losses) == [5, 10, 15, 20, 25, 30]
    assert losses[30] < 0.7 * losses[5]
    assert scalars(vae_run, "held-out/psnr")[30] > 8
    assert scalars(vae_run, "train/skipped")[30] == 0


def test_a_finished_run_is_not_trained_again(vae_run, folder):
    before = sha256_of(vae_run / "checkpoints" / "step-00000030" / "model.safetensors")
    outcome = train("vae_debug", {}, vae_run, quiet=True)
    assert outcome.steps == 30 and outcome.weights_sha256 == before


def test_killed_and_resumed_runs_end_in_the_same_bits(folder, tmp_path):
    changes = {"data.folders": str(folder), "schedule.steps": "16", "trainer.save_steps": "3"}
    report = kill_and_resume("vae_debug", changes, tmp_path, kills=2, seed=1)
    assert len(report.kills) == 2
    assert report.equal, (report.reference, report.finished)


def test_checkpoint_at_any_step_leads_to_the_same_end(dit_run, dit_changes, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_until(3, "dit_debug", dit_changes, run)
    assert (run / "latest").read_text().strip() == "step-00000003"
    train("dit_debug", {}, run, quiet=True)
    for name in FILES:
        ours, whole = (r / "checkpoints" / "step-00000008" / name for r in (run, dit_run))
        assert sha256_of(ours) == sha256_of(whole), name


def train_until(step, recipe, changes, run):
    """Train, and send this process SIGINT during the given step: what Ctrl-C does."""
    from worldloom.training.trainer import Trainer

    original = Trainer._take_step

    def interrupted(self, batch, prepared):
        if self.step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, prepared)

    Trainer._take_step = interrupted
    try:
        train(recipe, changes, run, quiet=True)
    finally:
        Trainer._take_step = original


def test_a_time_budget_ends_the_run(folder, tmp_path):
    changes = {
        "data.folders": str(folder),
        "schedule.steps": "0",
        "schedule.minutes": "0.1",
        "trainer.save_steps": "1000",
        "trainer.evaluate_steps": "1000",
    }
    began = time.monotonic()
    outcome = train("vae_debug", changes, tmp_path / "run", quiet=True)
    assert outcome.steps >= 1
    assert time.monotonic() - began < 60
    plans = json.loads((tmp_path / "run" / "schedule.json").read_text())["totals"]
    assert plans and plans[-1]["total"] == outcome.steps


def test_wrong_requests_are_named(vae_run, folder, tmp_path):
    with pytest.raises(UsageError, match=r"'vae_huge' is neither a course .*vae_tiny"):
        train("vae_huge", {}, tmp_path / "a")
    with pytest.raises(UsageError, match=r"has no field 'learning_rat'; allowed: .*learning_rate"):
        train("vae_debug", {"optimizer.learning_rat": "1"}, tmp_path / "a")
    with pytest.raises(UsageError, match=r"other values of optimizer\.learning_rate"):
        train("vae_debug", {"optimizer.learning_rate": "0.5"}, vae_run)
    with pytest.raises(UsageError, match="holds a run of vae_debug, not of dit_debug"):
        train("dit_debug", {}, vae_run)
    with pytest.raises(UsageError, match="holds a run already"):
        train("vae_debug", {}, vae_run, resume=False)
    with pytest.raises(UsageError, match=r"no index\.jsonl"):
        train("vae_debug", {"data.folders": str(tmp_path)}, tmp_path / "b", quiet=True)
    with pytest.raises(UsageError, match="both 0"):
        train("vae_debug", {"schedule.steps": "0"}, tmp_path / "c")
    assert not (tmp_path / "a").exists() and not (tmp_path / "c").exists()


def test_a_run_that_breaks_stops(folder, tmp_path):
    changes = {
        "data.folders": str(folder),
        "loss.pixel": "1e38",
        "loss.edge": "1e38",
        "guard.most_in_a_row": "4",
    }
    with pytest.raises(Failure, match="4 steps in a row"):
        train("vae_debug", changes, tmp_path / "run", quiet=True)


def test_a_run_goes_on_with_more_steps(vae_run, folder, tmp_path):
    changes = {"data.folders": str(folder), "schedule.steps": "6", "trainer.evaluate_steps": "100"}
    train("vae_debug", changes, tmp_path / "run", quiet=True)
    outcome = train("vae_debug", {"schedule.steps": "9"}, tmp_path / "run", quiet=True)
    assert outcome.steps == 9
    totals = json.loads((tmp_path / "run" / "schedule.json").read_text())["totals"]
    assert totals == [{"from_step": 0, "total": 6}, {"from_step": 6, "total": 9}]


def test_two_ranks_do_what_one_does(folder, tmp_path):
    # One sample per budgeted pair, and no weight on motion, whose mean is taken over each rank's own samples.
    changes = {
        "data.folders": str(folder),
        "schedule.steps": "6",
        "loss.motion": "1",
        "optimizer.kind": "adamw",
        "optimizer.learning_rate": "1e-4",
        "trainer.evaluate_steps": "100",
    }
    train("vae_debug", changes, tmp_path / "one", quiet=True)
    arguments = [f"{k}={v}" for k, v in changes.items()]
    subprocess.run(
        [*TORCHRUN, "--nproc-per-node=2", "-m", "tests.training.ranks", str(tmp_path / "two"), *arguments],
        check=True,
        timeout=120,
    )
    one, two = (scalars(tmp_path / r, "train/loss") for r in ("one", "two"))
    assert two == pytest.approx(one, rel=2e-3)
    # A thread of the group that outlives it can abort the process when the interpreter ends.
    found = json.loads((tmp_path / "two" / "ranks.json").read_text())
    assert found == {"difference": 0.0, "world": 2, "left": []}
