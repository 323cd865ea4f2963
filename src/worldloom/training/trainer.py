"""The training loop: one for every recipe, one device or many, resumable to the bit.

Nothing random has a state. Batch, crop, noise and mask of step N derive from (seed, N, place in the batch), so a
checkpoint holds weights, averages, optimizer state and a few counters, and a run that is killed anywhere and
resumed ends with the weights of the unbroken run.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from worldloom.core.config import to_dict
from worldloom.core.device import describe_device, resolve_dtype
from worldloom.core.error import UsageError
from worldloom.core.file import read_json, sha256_of, write_json
from worldloom.core.progress import Bar, progress
from worldloom.core.runlog import RunLog
from worldloom.data.bucket import Batch
from worldloom.data.loader import Loader
from worldloom.training.checkpoints import Checkpoints
from worldloom.training.clock import Chore, Clock, Interrupt
from worldloom.training.ema import Ema
from worldloom.training.guard import Guard
from worldloom.training.meter import Meter, count_operations, measure_peak
from worldloom.training.objective import Objective, Recipe, Surroundings, TrainerConfig, autocast
from worldloom.training.optimizer import Optimizer, gradient_norm, scale_gradients
from worldloom.training.parallel import Parallel, join
from worldloom.training.schedule import Plan, check

# What a resumed run may change: nothing here is part of the maths of a single step, and the schedule is planned
# anew. Dataset folders may move or be added to; the order of the samples to come changes then.
CHANGEABLE = ("schedule.", "trainer.", "guard.", "data.folders")
FIXED = ("trainer.seed", "trainer.ema_decay")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run: Path
    steps: int
    loss: float
    skipped: int
    minutes: float
    weights_sha256: str


def run(recipe: Recipe, folder: Path, resume: bool = True, quiet: bool = False) -> Outcome:
    """Train `recipe` in the run folder `folder`, going on from its newest checkpoint if there is one.

    Raises:
        UsageError: the folder holds a run of another recipe, or holds a run and `resume` is False.
        Failure: a damaged checkpoint, or too many broken steps in a row.
        KeyboardInterrupt: Ctrl-C or SIGTERM; a checkpoint was written first.
    """
    check(recipe.schedule)
    parallel = join(recipe.trainer.device)
    try:
        if recipe.trainer.threads:
            torch.set_num_threads(recipe.trainer.threads)
        if parallel.leads:
            claim(recipe, folder, resume)
        parallel.wait()
        return Trainer(recipe, folder, parallel, quiet).run()
    finally:
        parallel.leave()


class Trainer:
    """One run in one process; `run()` brings it to its end."""

    def __init__(self, recipe: Recipe, folder: Path, parallel: Parallel, quiet: bool) -> None:
        config: TrainerConfig = recipe.trainer
        self.recipe, self.config, self.folder, self.parallel, self.quiet = (
            recipe,
            config,
            folder,
            parallel,
            quiet,
        )
        self.objective: Objective = recipe.build(Surroundings(folder, parallel, config.seed, quiet))
        self.objective.module.to(parallel.device)
        named = [(n, p) for n, p in self.objective.module.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in named]
        self.optimizer = Optimizer(named, recipe.optimizer, self.objective.plain, parallel)
        self.ema = Ema(self.objective.module, config.ema_decay)
        self.guard = Guard(recipe.guard)
        self.checkpoints = Checkpoints(folder, config.keep_checkpoints)
        self.step = 0
        self.operations = 0.0
        self.loss = float("nan")
        seconds = self._restore()
        self.clock = Clock(seconds, self.step)
        self.plan = Plan(recipe.schedule, folder / "schedule.json")
        if parallel.leads:
            self.plan.settle(self.step, seconds / self.step if self.step else None, seconds)
        parallel.wait()
        self.plan.reload()
        self.dtype = resolve_dtype(parallel.device)
        self.log: RunLog | None = None
        self._recent: list[dict[str, float]] = []
        self._saving = Chore(config.save_minutes, config.save_steps)
        self._evaluating = Chore(config.evaluate_minutes, config.evaluate_steps)
        self._planning = Chore(min(1.0, recipe.schedule.minutes / 10), 0)
        self._meter = Meter(measure_peak(parallel.device, self.dtype) if config.measure_mfu else None)

    def run(self) -> Outcome:
        """Take every step that is left, save, and say how it ended."""
        if self.parallel.leads:
            self.log = RunLog(self.folder, keep_until=self.step)
            self._announce()
        minutes = self.recipe.schedule.minutes
        total = minutes * 60 if minutes else self.plan.total(self.step)
        unit = "s" if minutes else "step"
        try:
            with (
                Interrupt() as interrupt,
                progress(total, self.recipe.name, self.quiet or not self.parallel.leads, unit) as bar,
            ):
                self._loop(interrupt, bar)
            if self.parallel.leads:
                self._save()
                self._evaluate()
        finally:
            self.objective.close()
            if self.log:
                self.log.close()
        self.parallel.wait()
        return self._outcome()

    def _loop(self, interrupt: Interrupt, bar: Bar) -> None:
        for batch, prepared in self._batches():
            if self.plan.finished(self.step):
                return
            self._count_operations(batch, prepared)
            began = time.perf_counter()
            figures = self._take_step(batch, prepared)
            self.operations += self._meter.operations[batch.shape] * self._share_of_all(batch)
            self._meter.add(
                batch.shape, len(batch.indices), self.objective.tokens(batch), time.perf_counter() - began
            )
            self._report(figures, bar)
            self._keep_house()
            if self.parallel.most([float(interrupt.asked)])[0]:
                if self.parallel.leads:
                    self._save()
                raise KeyboardInterrupt

    def _batches(self) -> Iterator[tuple[Batch, Any]]:
        def prepare(step: int) -> tuple[Batch, Any]:
            batch = self.objective.plan.batch(step)
            positions = self.parallel.positions(len(batch.indices))
            return batch, self.objective.prepare(batch, positions) if positions else None

        with Loader(prepare, self.step, self.config.loader_threads) as loader:
            for _, pair in loader:
                yield pair

    def _take_step(self, batch: Batch, prepared: Any) -> dict[str, float]:
        """One update from one global batch; the figures are global means."""
        share = len(self.parallel.positions(len(batch.indices))) / len(batch.indices)
        own = self._backward(prepared, share) if share else {}
        self.parallel.sum_gradients(self.parameters)
        names = ("loss", *self.objective.figures)
        sums = self.parallel.sum([own.get(name, 0.0) for name in names])
        figures = dict(zip(names, sums, strict=True))
        norm = gradient_norm(self.parameters)
        rate = self.plan.rate(self.step)
        if self.guard.accepts(figures["loss"], norm):
            self._update(norm, rate)
        for p in self.parameters:
            p.grad = None
        self.step += 1
        self.loss = figures["loss"]
        return {**figures, "gradient_norm": norm, "rate": rate, "skipped": float(self.guard.skipped)}

    def _backward(self, prepared: Any, share: float) -> dict[str, float]:
        with autocast(self.parallel.device, self.config.precision, self.dtype):
            loss, figures = self.objective.loss(prepared, self.step)
        (loss * share).backward()
        return {
            "loss": float(loss.detach()) * share,
            **{name: float(v) * share for name, v in figures.items()},
        }

    def _update(self, norm: float, rate: float) -> None:
        clip = self.recipe.optimizer.clip_norm
        if clip and norm > clip:
            scale_gradients(self.parameters, clip / norm)
        self.optimizer.step(rate)
        self.ema.update(self.optimizer.updates)

    def _share_of_all(self, batch: Batch) -> float:
        """How often the whole batch has this rank's samples."""
        own = len(self.parallel.positions(len(batch.indices)))
        return len(batch.indices) / own if own else 0.0

    def _count_operations(self, batch: Batch, prepared: Any) -> None:
        """Count each shape of batch once, in a pass whose gradients are thrown away."""
        if self._meter.knows(batch.shape):
            return

        def work() -> None:
            self._backward(prepared, 1.0)

        self._meter.operations[batch.shape] = count_operations(work) if prepared is not None else 0
        for p in self.parameters:
            p.grad = None

    def _report(self, figures: dict[str, float], bar: Bar) -> None:
        """Average the figures and write them every `log_steps` steps."""
        self._recent.append(figures)
        moved = self.clock.seconds if self.recipe.schedule.minutes else self.step
        bar.jump(moved)
        bar.advance(0, note=f"step {self.step} loss {figures['loss']:.4g}")
        if self.log and (self.step % self.config.log_steps == 0 or self.plan.finished(self.step)):
            for name in figures:
                mean = sum(f[name] for f in self._recent) / len(self._recent)
                self.log.scalar(f"train/{name}", mean, self.step)
            for name, value in self._meter.read().items():
                self.log.scalar(name, value, self.step)
            self._recent.clear()

    def _keep_house(self) -> None:
        """Plan the length of a timed run, save, evaluate: whatever is due."""
        if self.recipe.schedule.minutes:
            self._revise_plan()
        if self.parallel.leads and not self.plan.finished(self.step):
            if self._saving.due(self.step):
                self._save()
            if self._evaluating.due(self.step):
                self._evaluate()

    def _revise_plan(self) -> None:
        # The leading rank decides; the others read its file, in the same step, once told that it changed.
        changed = 0.0
        if self.parallel.leads and self._planning.due(self.step):
            pace = self.clock.mark(self.step)
            changed = float(self.plan.revise(self.step, self.clock.seconds, pace))
            self._planning.minutes = min(2.0, self.recipe.schedule.minutes / 10)
        if self.parallel.most([changed])[0] and not self.parallel.leads:
            self.plan.reload()

    def _save(self) -> None:
        tensors = {
            "model": {name: p.detach() for name, p in self.objective.module.named_parameters()},
            "ema": dict(self.ema.average),
            "optimizer": self.optimizer.state_tensors(),
        }
        state = {
            "step": self.step,
            "updates": self.optimizer.updates,
            "operations": self.operations,
            "seconds": self.clock.seconds,
            "loss": self.loss if self.loss == self.loss else None,
            "guard": self.guard.state(),
        }
        with self.ema.applied():
            # Inside the block the averages are in the module, so the tensors above were taken before it.
            self.checkpoints.save(self.step, tensors, state, self.objective.write_weights)

    def _evaluate(self) -> None:
        assert self.log is not None
        self.objective.module.eval()
        precise = autocast(self.parallel.device, self.config.precision, self.dtype)
        with self.ema.applied(), torch.no_grad(), precise:
            figures = self.objective.evaluate(self.folder / "samples", self.step)
        self.objective.module.train()
        for name, value in {**figures, "operations": self.operations}.items():
            self.log.scalar(f"held-out/{name}", value, self.step)

    @torch.no_grad()
    def _restore(self) -> float:
        """Load the newest checkpoint if there is one; returns the seconds trained so far."""
        newest = self.checkpoints.newest()
        if newest is None:
            return 0.0
        tensors, state = self.checkpoints.load(newest)
        for name, p in self.objective.module.named_parameters():
            p.copy_(tensors["model"][name])
        self.ema.load_tensors(tensors["ema"])
        self.optimizer.load_state_tensors(tensors["optimizer"])
        self.optimizer.updates = int(state["updates"])
        self.guard.load_state(state["guard"])
        self.step = int(state["step"])
        self.operations = float(state.get("operations", 0.0))  # not counted by early versions
        self.loss = float("nan") if state["loss"] is None else float(state["loss"])
        return float(state["seconds"])

    def _announce(self) -> None:
        assert self.log is not None
        self.log.event(
            {
                "event": "start",
                "step": self.step,
                "recipe": to_dict(self.recipe),
                "parameters": sum(p.numel() for p in self.parameters),
                "by_muon": sum(p.numel() for p in self.optimizer.matrices.values()),
                "device": describe_device(self.parallel.device),
                "world": self.parallel.world,
                "peak_teraflops": self._meter.peak and self._meter.peak / 1e12,
                "batches_per_epoch": self.objective.plan.batches_per_epoch,
                "batch_sizes": {
                    "x".join(map(str, shape)): n for shape, n in self.objective.plan.batch_sizes.items()
                },
            }
        )

    def _outcome(self) -> Outcome:
        newest = self.checkpoints.newest()
        assert newest is not None and newest.name == f"step-{self.step:08d}"
        return Outcome(
            run=self.folder,
            steps=self.step,
            loss=self.loss,
            skipped=self.guard.skipped,
            minutes=self.clock.seconds / 60,
            weights_sha256=sha256_of(newest / "model.safetensors"),
        )


def claim(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Make the run folder, or check that the run in it is this recipe's."""
    path = folder / "config.json"
    wanted = {"recipe": recipe.name, "config": to_dict(recipe)}
    if path.exists():
        if not resume:
            raise UsageError(f"{folder} holds a run already; resume it or give another run folder")
        stored = read_json(path)
        if stored["recipe"] != recipe.name:
            raise UsageError(f"{folder} holds a run of {stored['recipe']}, not of {recipe.name}")
        refused = [f for f in _differences(stored["config"], wanted["config"]) if not _changeable(f)]
        if refused:
            raise UsageError(
                f"{folder} was started with other values of {', '.join(refused)}; a resumed run may change "
                f"{', '.join(CHANGEABLE)}"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, wanted)


def _changeable(field: str) -> bool:
    return field.startswith(CHANGEABLE) and field not in FIXED


def _differences(a: Any, b: Any, prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two nested dictionaries differ."""
    if not (isinstance(a, dict) and isinstance(b, dict)):
        return [] if a == b else [prefix]
    names = sorted(set(a) | set(b))
    return [d for n in names for d in _differences(a.get(n), b.get(n), f"{prefix}.{n}" if prefix else n)]
