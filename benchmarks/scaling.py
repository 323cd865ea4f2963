"""Held-out loss against compute over logged runs, the fitted power law, and what the compute bought, to look at.

    python -m benchmarks.scaling runs/small runs/medium runs/large runs/further@7.0e13 -o out/scaling

Every evaluation of every run is a point: its squared velocity error on held-out clips, and the floating-point
operations of training up to it, to which the figure after @ adds those of the weights that it began from. The least
loss at each compute makes the frontier, to which L(C) = E + A C^-b is fitted. Where runs kept their averaged weights,
the same seed and prompts are painted at one, four and 32 times the compute of the cheapest.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import numpy as np

from worldloom.core.picture import write_picture
from worldloom.core.sheet import contact_sheet
from worldloom.generate.pipeline import Pipeline

FIGURE = "mse"
MULTIPLES = (1, 4, 32)
PROMPTS = ("a red ball bounces on a wooden floor", "a green car drives around orange cones")
FLOORS = np.linspace(0, 0.95, 96)
"""Shares of the least loss that are tried as the loss that no compute removes."""
WIDTH, HEIGHT, MARGIN = 640, 400, 60
GRID = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3)
INKS = ("#2a6fb0", "#b3341f", "#23763a", "#8a5fb0", "#b07a2a", "#3a8f8f")


@dataclass(frozen=True)
class Point:
    """One evaluation: `operations` spent so far, and the held-out loss."""

    run: str
    step: int
    operations: float
    loss: float


@dataclass(frozen=True)
class PowerLaw:
    """loss = floor + scale * operations^-exponent; `error` is the root mean square of log residuals."""

    floor: float
    scale: float
    exponent: float
    error: float

    def __call__(self, operations: float) -> float:
        return self.floor + self.scale * operations**-self.exponent


@dataclass(frozen=True)
class Run:
    """A run's folder, and the operations spent on the weights that it began from."""

    folder: Path
    before: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Run":
        """`FOLDER[@OPERATIONS]`; raises ArgumentTypeError for a folder without a log and for what is no number."""
        folder, _, before = text.partition("@")
        if not (Path(folder) / "log.jsonl").is_file():
            raise argparse.ArgumentTypeError(f"{folder} holds no log.jsonl of a run")
        try:
            return cls(Path(folder), float(before or 0))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{before!r} after @ is no count of operations") from error


def points_of(run: Run) -> list[Point]:
    """The evaluations in a run's log, in order; those without a count of operations are left out."""
    by_step: dict[int, dict[str, float]] = {}
    for line in (run.folder / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry.get("name", "").startswith("held-out/"):
            by_step.setdefault(entry["step"], {})[entry["name"].removeprefix("held-out/")] = entry["value"]
    return [
        Point(run.folder.name, step, run.before + figures["operations"], figures[FIGURE])
        for step, figures in sorted(by_step.items())
        if figures.get("operations") and FIGURE in figures
    ]


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that no cheaper one undercuts, by compute."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: p.operations):
        if not best or point.loss < best[-1].loss:
            best.append(point)
    return best


def fit(points: Sequence[Point]) -> PowerLaw:
    """The power law of least squared error in the logarithm; at least three points."""
    x = np.log([p.operations for p in points])
    losses = np.asarray([p.loss for p in points])
    laws = []
    for floor in FLOORS * losses.min():
        y = np.log(losses - floor)
        slope, offset = np.polyfit(x, y, 1)
        fitted = np.log(floor + np.exp(offset + slope * x))
        error = float(np.sqrt(np.mean((fitted - np.log(losses)) ** 2)))
        laws.append(PowerLaw(float(floor), math.exp(offset), -float(slope), error))
    return min(laws, key=lambda law: law.error)


def plot(points: Sequence[Point], law: PowerLaw | None) -> str:
    """An SVG with both axes logarithmic: a line for each run, dashes for the law."""
    costs, losses = [p.operations for p in points], [p.loss for p in points]
    left, right = math.log10(min(costs)), math.log10(max(costs) * 2)
    low, high = math.log10(min(losses) * 0.9), math.log10(max(losses) * 1.1)

    def place(operations: float, loss: float) -> str:
        x = MARGIN + (math.log10(operations) - left) / (right - left) * (WIDTH - 2 * MARGIN)
        y = MARGIN + (high - math.log10(loss)) / (high - low) * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">operations of training, '
        f"{min(costs):.1e} to {max(costs):.1e}</text>",
        f'<text x="16" y="24">held-out loss, {max(losses):.3g} down to {min(losses):.3g}</text>',
    ]
    for power in range(math.ceil(left), math.floor(right) + 1):
        x, y = place(10.0**power, 10**low).split(",")
        parts.append(f'<path d="M{x},{MARGIN}V{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle">1e{power}</text>')
    for loss in (loss for loss in GRID if low <= math.log10(loss) <= high):
        x, y = place(min(costs), loss).split(",")
        parts.append(f'<path d="M{x},{y}H{WIDTH - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{float(x) - 6:.1f}" y="{float(y) + 4:.1f}" text-anchor="end">{loss:g}</text>')
    for number, run in enumerate(dict.fromkeys(p.run for p in points)):
        ink, own = INKS[number % len(INKS)], [p for p in points if p.run == run]
        line = " ".join(place(p.operations, p.loss) for p in own)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="1.5"/>')
        parts += [
            f'<circle cx="{x}" cy="{y}" r="3" fill="{ink}"/>'
            for x, y in (place(p.operations, p.loss).split(",") for p in own)
        ]
        parts.append(f'<text x="{WIDTH - 150}" y="{40 + 16 * number}" fill="{ink}">{escape(run)}</text>')
    if law is not None:
        curve = " ".join(place(10**x, law(10**x)) for x in np.linspace(left, right, 60))
        parts.append(f'<polyline points="{curve}" fill="none" stroke="#555" stroke-dasharray="5 4"/>')
    return "\n".join([*parts, "</svg>\n"])


def picture(runs: Sequence[Run], seed: int) -> tuple[np.ndarray, list[str]] | None:
    """The same prompts and seed by the runs nearest to the multiples of the least compute; None for one run."""
    ends = {
        run: points_of(run)[-1].operations for run in runs if (run.folder / "ema" / "worldloom.json").exists()
    }
    if len(ends) < 2:
        return None
    least = min(ends.values())
    chosen = [min(ends, key=lambda run: abs(math.log(ends[run] / (least * times)))) for times in MULTIPLES]
    clips, labels = [], []
    for run in dict.fromkeys(chosen):
        pipeline = Pipeline.from_pretrained(run.folder / "ema")
        for prompt in PROMPTS:
            clips.append(pipeline.generate(prompt, seed=seed).frames)
            labels.append(f"{ends[run] / least:.0f} x compute ({run.folder.name}): {prompt}")
    return contact_sheet(clips, labels=labels), labels


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", nargs="+", type=Run.parse, metavar="RUN[@OPERATIONS]", help="run folders of the transformer"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for the plot, points and sheet"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    points = [point for run in options.runs for point in points_of(run)]
    if not points:
        parser.error("none of the runs has an evaluation with a count of operations")
    best = frontier(points)
    law = fit(best) if len(best) >= 3 else None
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "scaling.svg").write_text(plot(points, law))
    content = {"points": [asdict(p) for p in points], "law": law and asdict(law)}
    (options.output / "scaling.json").write_text(json.dumps(content, indent=1))
    for point in best:
        print(f"{point.operations:10.2e} operations  loss {point.loss:.4f}  {point.run} step {point.step}")
    if law is not None:
        print(f"L(C) = {law.floor:.4f} + {law.scale:.3g} C^-{law.exponent:.3f}, error {law.error:.1%}")
    painted = picture(options.runs, options.seed)
    if painted is not None:
        write_picture(options.output / "scaling.png", painted[0], force=True)


if __name__ == "__main__":
    main()
