"""Training of the judge on rendered examples, and its accuracy on held-out ones.

First the map, on single frames with masks, then, with it held still, the answers about clips. Learnt together, with
nine frames of a clip in every batch, the map saw a ninth as many scenes and was right about half as many colours.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.core.seed import numpy_generator, torch_generator
from worldloom.evaluate.camera_move import TERMS, mirrored_drift
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
from worldloom.evaluate.judge import (
    HEADS,
    MIN_AREA,
    Judge,
    JudgeConfig,
    Sight,
    Story,
    cells_of,
    story_of,
    to_frames,
)
from worldloom.evaluate.labels import Labels, mirrored
from worldloom.evaluate.suite import Figure, Line, SuiteResult
from worldloom.worlds.families import FAMILIES

HELD_OUT = SEED_BASE + 10**9
"""World seeds of the examples that the judge is tested on; it is trained on those from SEED_BASE."""
FAMILY_WEIGHT = 0.08
"""Weight of the family against the map while that is learnt. Asking a frame for material and count as well, each with
weight 1, cost 5 points of the map's overlap and of the colours, and taught neither."""
NONE = -100
"""Target of a question that has no answer: families without a count, cells without an object."""
COLOUR_WEIGHT = 0.5
"""Weight of a cell's colour against whether it shows a main object."""


T = TypeVar("T")


@dataclass(frozen=True)
class JudgeTraining:
    """How the judge is trained. `minutes` bound the process time whatever `steps` say; 0 is no bound."""

    map_steps: int = 7000
    map_minutes: float = 22.0
    frames: int = 24
    """Frames of one size, each of another clip, in a batch of the map."""
    map_lr: float = 2e-3
    steps: int = 6000
    minutes: float = 15.0
    clips: int = 16
    """Clips of one size in a batch of the answers."""
    lr: float = 1e-3
    views: int = 2
    """How often each clip is looked at, every time softened another way, before the answers are learnt."""
    weight_decay: float = 0.02
    object_weight: float = 4.0
    """Weight of main-object cells against the others, which are 95 % of the cells."""
    seed: int = 0


def train_judge(
    examples: Sequence[Example], config: JudgeConfig, training: JudgeTraining, quiet: bool = False
) -> Judge:
    """Return a judge trained on `examples`; the same examples and settings give the same judge.

    (Unless a bound on minutes ends the run: the learning rate follows the clock where that is ahead of the steps.)
    """
    if not any(item.classes is not None for item in examples):
        raise UsageError("a judge cannot be trained on 0 examples with masks; at least 1 is needed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        judge = Judge(config).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _learn_map(judge, [item for item in examples if item.classes is not None], training, quiet)
        _learn_answers(judge, examples, training, quiet)
    return judge.eval()


def _learn_map(judge: Judge, examples: Sequence[Example], training: JudgeTraining, quiet: bool) -> None:
    """Teach where main objects are and the colours of things, and the family, which tells what main objects are."""
    pools, shares = _pools([(item.frames.shape[1:], item) for item in examples])

    def loss(step: int) -> Tensor:
        rng = numpy_generator("judge map", training.seed, step)
        noise = torch_generator("judge map noise", training.seed, step)
        pool = pools[int(rng.choice(len(pools), p=shares))]
        batch = [pool[int(index)] for index in rng.integers(0, len(pool), training.frames)]
        frames, cells = [], []
        for item in batch:
            number, turn = int(rng.integers(len(item.frames))), int(rng.choice((1, -1)))
            assert item.classes is not None
            frame = np.ascontiguousarray(item.frames[number : number + 1, :, ::turn])
            frames.append(_soften(to_frames(frame), rng, noise))
            cells.append(item.classes[number, :, ::turn])
        seen = torch.cat(frames).contiguous(memory_format=torch.channels_last)
        sight = judge.see(seen)
        answers = judge.answer(_single_frames(seen, sight))
        right = targets(judge.config, [item.labels for item in batch], [False] * len(batch))
        family = _answered(answers["family"], right["family"])
        classes = torch.from_numpy(np.stack(cells)).long()
        return FAMILY_WEIGHT * family + _map_loss(sight, classes, training.object_weight)

    bounds = (training.map_steps, training.map_minutes)
    _optimise(judge, bounds, training.map_lr, training.weight_decay, loss, "learning to see", quiet)


def _learn_answers(judge: Judge, examples: Sequence[Example], training: JudgeTraining, quiet: bool) -> None:
    """Teach the questions about clips; what is seen in frames is held still and looked up."""
    judge.sight.requires_grad_(False)
    viewed: list[tuple[Any, tuple[Story, Labels]]] = []
    with progress(len(examples) * training.views, "looking", quiet, "clips") as bar:
        for number, item in enumerate(examples):
            for view in range(training.views):
                story = _view(judge, item, training.seed, number, view)
                viewed.append((story.halves.shape, (story, item.labels)))
                bar.advance()
    pools, shares = _pools(viewed)

    def loss(step: int) -> Tensor:
        rng = numpy_generator("judge answers", training.seed, step)
        pool = pools[int(rng.choice(len(pools), p=shares))]
        batch = [pool[int(index)] for index in rng.integers(0, len(pool), training.clips)]
        flips = (rng.random(len(batch)) < 0.5).tolist()
        stories = [flipped(story) if flip else story for (story, _), flip in zip(batch, flips, strict=True)]
        answers = judge.answer(_batched(stories))
        right = targets(judge.config, [labels for _, labels in batch], flips)
        return torch.stack([_answered(answers[head], right[head]) for head in HEADS]).sum()

    bounds = (training.steps, training.minutes)
    _optimise(judge, bounds, training.lr, training.weight_decay, loss, "learning to answer", quiet)
    judge.sight.requires_grad_(True)


def _pools(items: Sequence[tuple[Any, T]]) -> tuple[list[list[T]], np.ndarray]:
    """Return the items grouped by their first half, as clips of two sizes are never batched, and each group's share."""
    pools: dict[Any, list[T]] = defaultdict(list)
    for key, item in items:
        pools[tuple(key)].append(item)
    groups = [pools[key] for key in sorted(pools)]
    return groups, np.array([len(group) for group in groups]) / len(items)


def _optimise(
    judge: Judge,
    bounds: tuple[int, float],
    lr: float,
    weight_decay: float,
    loss_of: Callable[[int], Tensor],
    title: str,
    quiet: bool,
) -> None:
    """AdamW over what requires gradients, up to (steps, process minutes): a warm-up, then a cosine to zero."""
    steps, minutes = bounds
    parameters = [parameter for parameter in judge.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, betas=(0.9, 0.99))
    start = time.process_time()
    with progress(steps, title, quiet, "steps") as bar:
        for step in range(steps):
            done = step / steps
            if minutes:
                done = max(done, (time.process_time() - start) / (60 * minutes))
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * done))
            loss = loss_of(step)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            bar.advance(note=f"loss {loss.item():.3f}")


def _single_frames(frames: Tensor, sight: Sight) -> Story:
    """Every frame as a clip of its own, in which nothing moves."""
    halves = F.avg_pool2d(frames, 2)[:, None]
    none = halves.new_zeros(len(frames), 0, 2, halves.shape[-2] // 2, halves.shape[-1] // 2)
    return Story(
        sight.places[:, None],
        sight.object[:, None],
        halves,
        none,
        halves.new_zeros(len(frames), 0, 2 * TERMS),
    )


@torch.no_grad()
def _view(judge: Judge, item: Example, seed: int, number: int, view: int) -> Story:
    """What the net over time reads of a clip softened in one way, in half precision: thousands are kept."""
    rng = numpy_generator("judge view", seed, number, view)
    noise = torch_generator("judge view noise", seed, number, view)
    frames = _soften(to_frames(item.frames), rng, noise)
    sight = judge.see(frames.contiguous(memory_format=torch.channels_last))
    story = story_of(frames, sight, range(len(frames)))
    return Story(*(getattr(story, field.name).half() for field in fields(Story)))


def flipped(story: Story) -> Story:
    """Return the story of the mirrored clip, as far as the net over single frames is symmetrical."""
    thing, flow = story.object.clone(), story.flow.flip(-1)
    thing[:, :, 0] *= -1
    flow[:, :, 0] *= -1
    return Story(story.places.flip(-1), thing, story.halves.flip(-1), flow, mirrored_drift(story.drift))


def _batched(stories: Sequence[Story]) -> Story:
    return Story(
        *(torch.cat([getattr(story, field.name) for story in stories]).float() for field in fields(Story))
    )


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
    return where + COLOUR_WEIGHT * F.cross_entropy(
        sight.colour[:, :, :rows, :columns], colour, ignore_index=NONE
    )


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
    takes: int = 3120,
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
