"""Training of the judge on rendered examples, and its accuracy on held-out ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import numpy_generator, torch_generator
from worldloom.evaluate.examples import Example
from worldloom.evaluate.interval import wilson
from worldloom.evaluate.judge import MIN_AREA, Judge, JudgeConfig, cells_of, to_frames


@dataclass(frozen=True)
class JudgeTraining:
    """How the judge is trained. `minutes` bounds the wall time whatever `steps` says; 0 is no bound."""

    steps: int = 2500
    minutes: float = 5.5
    clips: int = 8
    """Clips of one size in a batch."""
    frames: int = 3
    """Frames drawn from each of them."""
    lr: float = 3e-3
    weight_decay: float = 0.02
    object_weight: float = 4.0
    """Weight of object cells against background, which is 95 % of the cells."""
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
        judge = Judge(config).train()
    optimizer = torch.optim.AdamW(
        judge.parameters(), lr=training.lr, weight_decay=training.weight_decay, betas=(0.9, 0.99)
    )
    by_size: dict[tuple[int, ...], list[Example]] = defaultdict(list)
    for item in examples:
        by_size[item.frames.shape].append(item)
    sizes = sorted(by_size)
    shares = np.array([len(by_size[size]) for size in sizes]) / len(examples)
    weights = torch.tensor([1.0] + [training.object_weight] * len(config.colours))
    start = time.monotonic()
    with progress(training.steps, "training the judge", quiet, "steps") as bar:
        for step in range(training.steps):
            done = step / training.steps
            if training.minutes:
                done = max(done, (time.monotonic() - start) / (60 * training.minutes))
            if done >= 1:
                break
            for group in optimizer.param_groups:
                # Linear warm-up, then a cosine to zero.
                group["lr"] = training.lr * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * done))
            rng = numpy_generator("judge batch", training.seed, step)
            pool = by_size[sizes[int(rng.choice(len(sizes), p=shares))]]
            batch = [pool[int(index)] for index in rng.integers(0, len(pool), training.clips)]
            loss = _loss(
                judge, batch, training, weights, rng, torch_generator("judge noise", training.seed, step)
            )
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
    weights: Tensor,
    rng: np.random.Generator,
    noise: torch.Generator,
) -> Tensor:
    families = torch.tensor([judge.config.families.index(item.family) for item in batch])
    frames, classes = [], []
    for item in batch:
        count = len(item.frames)
        picks = np.sort(rng.choice(count, min(training.frames, count), replace=False))
        clip, grid = item.frames[picks], item.classes[picks]
        if rng.random() < 0.5:
            clip, grid = clip[:, :, ::-1], grid[:, :, ::-1]
        frames.append(_soften(to_frames(np.ascontiguousarray(clip)), rng, noise))
        classes.append(torch.from_numpy(np.ascontiguousarray(grid)).long())
    logits, grids = judge(torch.stack(frames))
    target = torch.stack(classes)
    # Cells of the padding have no target.
    grids = grids[..., : target.shape[-2], : target.shape[-1]]
    cells = F.cross_entropy(grids.flatten(0, 1), target.flatten(0, 1), weights)
    return F.cross_entropy(logits, families, label_smoothing=0.02) + cells


def _soften(frames: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """Blur, grain and light of random strength: a model's clip is softer than a render, and that is not its fault."""
    if rng.random() < 0.5:
        factor = float(rng.uniform(1.2, 2.5))
        small = F.interpolate(frames, scale_factor=1 / factor, mode="area")
        frames = F.interpolate(small, size=frames.shape[-2:], mode="bilinear", align_corners=False)
    frames = frames * float(rng.uniform(0.9, 1.1)) + float(rng.uniform(-0.06, 0.06))
    grain = float(rng.uniform(0, 0.06))
    return (frames + grain * torch.randn(frames.shape, generator=noise)).clamp(-1, 1)


def measure_judge(judge: Judge, examples: Sequence[Example]) -> dict[str, Any]:
    """Return the judge's accuracy on held-out examples, every share with its count and 95 % interval.

    `colour`: the true main colour is the largest found (or among as many as the take's main objects have).
    `visible`: over frames, whether the judge's "visible" is the mask's. `overlap`: intersection over union of
    main-object cells, pooled over all frames.
    """
    colours = list(judge.config.colours)
    right: dict[str, list[bool]] = defaultdict(list)
    by_family: dict[str, list[bool]] = defaultdict(list)
    confused: dict[str, int] = defaultdict(int)
    meet = join = 0
    for item in examples:
        verdict = judge.judge(item.frames)
        right["family"].append(verdict.family == item.family)
        by_family[item.family].append(verdict.family == item.family)
        if verdict.family != item.family:
            confused[f"{item.family} taken for {verdict.family}"] += 1
        present = {colours[int(value) - 1] for value in np.unique(item.classes) if value}
        if item.colour in present:
            right["colour"].append(item.colour in verdict.colours(len(present)))
        truly = (item.classes > 0).mean((1, 2)) >= MIN_AREA
        right["visible"] += (verdict.visible == truly).tolist()
        found = predicted_cells(judge, item.frames)
        meet += int(np.sum(found & (item.classes > 0)))
        join += int(np.sum(found | (item.classes > 0)))
    report: dict[str, Any] = {"examples": len(examples), "overlap": round(meet / max(join, 1), 4)}
    for name, answers in right.items():
        low, high = wilson(sum(answers), len(answers))
        report[name] = {
            "right": sum(answers), "of": len(answers), "interval": [round(low, 4), round(high, 4)],
        }  # fmt: skip
    report["families"] = {name: round(sum(a) / len(a), 4) for name, a in sorted(by_family.items())}
    report["confused"] = dict(sorted(confused.items(), key=lambda entry: -entry[1]))
    return report


@torch.no_grad()
def predicted_cells(judge: Judge, clip: np.ndarray) -> np.ndarray:
    """Return where the judge sees a main object of any colour, bool [F, h, w]."""
    _, grids = judge(to_frames(clip)[None])
    classes = grids[0].argmax(1).numpy()
    return classes[:, *cells_of(clip.shape[1], clip.shape[2])] > 0
