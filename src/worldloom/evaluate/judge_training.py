"""Training of the judge on rendered examples, and its accuracy on held-out ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import numpy_generator, torch_generator
from worldloom.evaluate.examples import (
    MAIN,
    SEED_BASE,
    Example,
    dataset_examples,
    load_examples,
    render_examples,
    save_examples,
)
from worldloom.evaluate.interval import wilson
from worldloom.evaluate.judge import HEADS, MIN_AREA, Judge, JudgeConfig, Sight, cells_of, to_frames
from worldloom.evaluate.labels import Labels, mirrored
from worldloom.evaluate.suite import Figure, Line, SuiteResult
from worldloom.worlds.families import FAMILIES

HELD_OUT = SEED_BASE + 10**9
"""World seeds of the examples that the judge is tested on; it is trained on those from SEED_BASE."""
NONE = -100
"""Target of a question that has no answer: families without a count, cells without an object."""


@dataclass(frozen=True)
class JudgeTraining:
    """How the judge is trained. `minutes` bounds the process time whatever `steps` says; 0 is no bound."""

    steps: int = 2000
    minutes: float = 18.0
    clips: int = 8
    """Clips of one size in a batch."""
    lr: float = 2e-3
    weight_decay: float = 0.02
    object_weight: float = 4.0
    """Weight of main-object cells against the others, which are 95 % of the cells."""
    map_weight: float = 4.0
    """Weight of the map against each question about the clip: what is found there, the answers are read from."""
    seed: int = 0


def train_judge(
    examples: Sequence[Example], config: JudgeConfig, training: JudgeTraining, quiet: bool = False
) -> Judge:
    """Return a judge trained on `examples`; the same examples and settings give the same judge.

    (Unless the bound on minutes ends the run: the learning rate follows the clock where that is ahead of the steps.)
    """
    if not examples:
        raise UsageError("a judge cannot be trained on 0 examples; at least 1 is needed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        judge = Judge(config).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        judge.parameters(), lr=training.lr, weight_decay=training.weight_decay, betas=(0.9, 0.99)
    )
    # Clips with masks and clips without are not mixed in a batch.
    pools: dict[tuple[Any, ...], list[Example]] = defaultdict(list)
    for item in examples:
        pools[(*item.frames.shape, item.classes is None)].append(item)
    names = sorted(pools)
    shares = np.array([len(pools[name]) for name in names]) / len(examples)
    start = time.process_time()
    with progress(training.steps, "training the judge", quiet, "steps") as bar:
        for step in range(training.steps):
            done = step / training.steps
            if training.minutes:
                done = max(done, (time.process_time() - start) / (60 * training.minutes))
            if done >= 1:
                break
            for group in optimizer.param_groups:
                # Linear warm-up, then a cosine to zero.
                group["lr"] = training.lr * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * done))
            rng = numpy_generator("judge batch", training.seed, step)
            pool = pools[names[int(rng.choice(len(names), p=shares))]]
            batch = [pool[int(index)] for index in rng.integers(0, len(pool), training.clips)]
            loss = _loss(judge, batch, training, rng, torch_generator("judge noise", training.seed, step))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimizer.step()
            bar.advance(note=f"loss {loss.item():.3f}")
    return judge.eval()


def _loss(
    judge: Judge,
    batch: Sequence[Example],
    training: JudgeTraining,
    rng: np.random.Generator,
    noise: torch.Generator,
) -> Tensor:
    flips = (rng.random(len(batch)) < 0.5).tolist()
    frames = []
    for item, flip in zip(batch, flips, strict=True):
        clip = item.frames[:, :, ::-1] if flip else item.frames
        frames.append(_soften(to_frames(np.ascontiguousarray(clip)), rng, noise))
    clips = torch.stack(frames)
    sight = judge.see(clips.flatten(0, 1).contiguous(memory_format=torch.channels_last))
    answers = judge.answer(clips, sight)
    right = targets(judge.config, [item.labels for item in batch], flips)
    loss = torch.stack([_answered(answers[head], right[head]) for head in HEADS]).sum()
    maps = [
        item.classes[:, :, ::-1] if flip else item.classes
        for item, flip in zip(batch, flips, strict=True)
        if item.classes is not None
    ]
    if maps:
        cells = torch.from_numpy(np.concatenate(maps)).long()
        loss = loss + training.map_weight * _map_loss(sight, cells, training.object_weight)
    return loss


def targets(config: JudgeConfig, labels: Sequence[Labels], flips: Sequence[bool]) -> dict[str, Tensor]:
    """Return the index of the right answer of every head, [B]; a mirrored clip's camera and car turn the other way."""
    right: dict[str, list[int]] = {head: [] for head in HEADS}
    for item, flip in zip(labels, flips, strict=True):
        told = answers_of(item)
        if flip:
            told |= {
                head: None if (answer := told[head]) is None else mirrored(answer)
                for head in ("camera", "outcome")
            }
        for head, answer in told.items():
            right[head].append(NONE if answer is None else config.answers(head).index(answer))
    return {head: torch.tensor(values) for head, values in right.items()}


def answers_of(labels: Labels) -> dict[str, str | None]:
    """Return the right answer to every question of the judge; None where there is none."""
    count = None if labels.count is None else str(labels.count)
    return {
        "family": labels.family, "material": labels.material, "count": count,
        "camera": labels.camera, "outcome": labels.outcome,
    }  # fmt: skip


def _answered(logits: Tensor, right: Tensor) -> Tensor:
    if bool((right == NONE).all()):
        return logits.sum() * 0
    return F.cross_entropy(logits, right, ignore_index=NONE, label_smoothing=0.02)


def _map_loss(sight: Sight, classes: Tensor, object_weight: float) -> Tensor:
    """Where main objects are, and the colour of every cell with an object; cells of the padding have no target."""
    rows, columns = classes.shape[-2:]
    main = (classes >= MAIN).float()
    where = F.binary_cross_entropy_with_logits(
        sight.main[:, :rows, :columns], main, 1 + (object_weight - 1) * main
    )
    colour = torch.where(classes > 0, classes % MAIN - 1, NONE)
    if bool((colour == NONE).all()):
        return where
    return where + F.cross_entropy(sight.colour[:, :, :rows, :columns], colour, ignore_index=NONE)


def _soften(frames: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """Blur, grain and light of random strength: a model's clip is softer than a render, and that is not its fault."""
    if rng.random() < 0.5:
        factor = float(rng.uniform(1.2, 2.2))
        small = F.interpolate(frames, scale_factor=1 / factor, mode="area")
        frames = F.interpolate(small, size=frames.shape[-2:], mode="bilinear", align_corners=False)
    frames = frames * float(rng.uniform(0.92, 1.08)) + float(rng.uniform(-0.05, 0.05))
    grain = float(rng.uniform(0, 0.05))
    return (frames + grain * torch.randn(frames.shape, generator=noise)).clamp(-1, 1)


def measure_judge(judge: Judge, examples: Sequence[Example]) -> dict[str, Any]:
    """Return the judge's accuracy on held-out examples, every share with its count and 95 % interval.

    `colour`: the true main colour is the largest found (or among as many as the take's main objects have).
    `outcome_of_family`: the best of the outcomes that the true family has. `visible`: over frames, whether the judge's
    "visible" is the mask's. `overlap`: intersection over union of main-object cells, pooled over all frames.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    by_family: dict[str, list[bool]] = defaultdict(list)
    outcomes: dict[str, list[bool]] = defaultdict(list)
    confused: dict[str, int] = defaultdict(int)
    meet = join = 0
    for item in examples:
        verdict, family = judge.judge(item.frames), item.labels.family
        for head, answer in answers_of(item.labels).items():
            if answer is not None:
                right[head].append(verdict.best(head) == answer)
        if item.labels.outcome is not None:
            within = verdict.best("outcome", outcomes_of(judge.config, family)) == item.labels.outcome
            right["outcome_of_family"].append(within)
            outcomes[family].append(within)
        by_family[family].append(verdict.family == family)
        if verdict.family != family:
            confused[f"{family} taken for {verdict.family}"] += 1
        if item.classes is None:
            continue
        main = item.classes >= MAIN
        present = {judge.config.colours[int(value) - MAIN - 1] for value in np.unique(item.classes[main])}
        if item.labels.colour in present:
            right["colour"].append(item.labels.colour in verdict.colours(len(present)))
        right["visible"] += (verdict.visible == (main.mean((1, 2)) >= MIN_AREA)).tolist()
        found = predicted_cells(judge, item.frames)
        meet += int(np.sum(found & main))
        join += int(np.sum(found | main))
    report: dict[str, Any] = {"examples": len(examples), "overlap": round(meet / max(join, 1), 4)}
    report |= {name: _counted(answers) for name, answers in right.items()}
    report["families"] = {name: round(sum(a) / len(a), 4) for name, a in sorted(by_family.items())}
    report["outcomes"] = {name: _counted(a) for name, a in sorted(outcomes.items())}
    report["confused"] = dict(sorted(confused.items(), key=lambda entry: -entry[1]))
    return report


def _counted(answers: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(answers), len(answers))
    return {"right": sum(answers), "of": len(answers), "interval": [round(low, 4), round(high, 4)]}


def load_judge(path: Path) -> tuple[Judge, dict[str, Any]]:
    """Return the judge and its accuracy on held-out renders."""
    if not path.is_file():
        raise UsageError(f"there is no judge at {path}; `worldloom evaluate judge --train` trains one")
    return Judge.load(path)


def make_judge(
    path: Path,
    *,
    takes: int = 1800,
    held_out: int = 273,
    training: JudgeTraining | None = None,
    data: Sequence[Path] = (),
    cache: Path | None = None,
    workers: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> SuiteResult:
    """Train the judge on freshly rendered takes, measure it on held-out ones, and save it with its accuracy.

    `data` are dataset folders that it learns from as well; `cache` is a folder that keeps the rendered examples for
    another run with the same families and counts.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} exists already; give --force to replace it")
    training = training or JudgeTraining()
    start = time.process_time()
    examples = cached_examples(takes, SEED_BASE, cache, workers, quiet)
    examples += dataset_examples(data, quiet) if data else []
    tests = cached_examples(held_out, HELD_OUT, cache, workers, quiet)
    rendered = time.process_time()
    judge = train_judge(examples, JudgeConfig(tuple(FAMILIES)), training, quiet)
    report = measure_judge(judge, tests) | {
        "takes": len(examples),
        "training": asdict(training),
        "threads": torch.get_num_threads(),
        "seconds": {"render": round(rendered - start, 1), "train": round(time.process_time() - rendered, 1)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return _as_result(report | {"sha256": judge.save(path, report)}, time.process_time() - start)


def judge_result(path: Path, takes: int, quiet: bool = False) -> SuiteResult:
    """Measure a saved judge on freshly rendered held-out takes."""
    start = time.process_time()
    judge, told = load_judge(path)
    report = measure_judge(judge, render_examples(takes, HELD_OUT, quiet=quiet))
    return _as_result(told | report, time.process_time() - start)


def _as_result(report: dict[str, Any], seconds: float) -> SuiteResult:
    def line(what: str, figures: dict[str, Any]) -> Line:
        low, high = figures["interval"]
        return Line(what, real=Figure(figures["right"] / figures["of"], (low, high), figures["of"]), unit="%")

    names = ("family", "colour", "count", "material", "camera", "outcome", "outcome_of_family", "visible")
    lines = [line(name.replace("_", " "), report[name]) for name in names if name in report]
    lines.append(
        Line(
            "overlap of main-object cells", real=Figure(report["overlap"], None, report["examples"]), unit="%"
        )
    )
    lines += [line(f"{family}: outcome of family", figures) for family, figures in report["outcomes"].items()]
    training = report.get("training", {})
    return SuiteResult(
        suite="judge",
        model="judge",
        lines=tuple(lines),
        settings={
            "examples": report["examples"],
            "takes": report.get("takes"),
            "sha256": report["sha256"][:12],
            **training,
        },
        notes=(
            "right answers on held-out renders; Wilson 95 % intervals; visible: over frames",
            "outcome: of all families' outcomes; outcome of family: the best of those that the true family has",
            *(f"{count} x {pair}" for pair, count in list(report["confused"].items())[:3]),
        ),
        seconds=seconds,
    )


def cached_examples(
    count: int, first_seed: int, cache: Path | None, workers: int = 1, quiet: bool = False
) -> list[Example]:
    """Return rendered examples, from the folder `cache` where it holds them."""
    path = None if cache is None else cache / f"judge-{len(FAMILIES)}-{first_seed - SEED_BASE}-{count}.npz"
    if path is not None and path.exists():
        return load_examples(path)
    examples = render_examples(count, first_seed, workers=workers, quiet=quiet)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_examples(examples, path)
    return examples


def outcomes_of(config: JudgeConfig, family: str) -> list[str]:
    """Return the judge's answers that are outcomes of a family."""
    return [outcome for outcome in config.outcomes if outcome.startswith(f"{family}: ")]


@torch.no_grad()
def predicted_cells(judge: Judge, clip: np.ndarray) -> np.ndarray:
    """Return where the judge sees a main object of any colour, bool [F, h, w]."""
    main = judge.see(to_frames(clip)).main.numpy() > 0
    return main[:, *cells_of(clip.shape[1], clip.shape[2])]
