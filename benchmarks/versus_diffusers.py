"""How much faster than diffusers the same work is done, and in how much memory.

    python -m benchmarks.versus_diffusers [--dtype fp32|bf16] [--device cpu|cuda] [--rows step,decode] [--quick]

Both sides have the same weights, inputs and number format, and take turns; the ratio is taken turn by turn. On one
CPU thread time is the processor's own (`time.process_time`), so that other work on the machine counts little; with
more threads, or on a GPU, it is the clock's. Peak memory is what a process of its own needs above the loaded models.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.bars import Bar, bar_chart
from benchmarks.pairs import Pair, Run, Setting, pairs
from benchmarks.step_reuse import Saving, sweep
from worldloom.core.device import describe_device, resolve_device, resolve_dtype

SIDES = ("worldloom", "diffusers")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
MAX_ROUNDS, MIN_ROUNDS = 50, 3
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Result:
    """One measured row: median seconds of each side, diffusers' over ours turn by turn, and how alike the outputs are.

    `agreement` is the PSNR in dB against the range of diffusers' output; `mfu` our share of the device's measured
    matrix-product rate; `memory` mebibytes of each side above its loaded models.
    """

    name: str
    shape: str
    seconds: dict[str, float]
    ratio: float
    lowest: float
    highest: float
    rounds: int
    agreement: float
    mfu: float | None
    memory: dict[str, float] | None


def measure(pair: Pair, setting: Setting, budget: float, peak: float) -> Result:
    """Time both sides of a row in turns for about `budget` seconds of the clock, three turns at least."""
    runs = {side: pair.build(side, setting) for side in SIDES}
    outputs = {side: _run(runs[side], setting) for side in SIDES}  # warm-up
    clock = _clock(setting)
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    began = time.perf_counter()
    for turn in range(MAX_ROUNDS):
        if turn >= MIN_ROUNDS and time.perf_counter() - began > budget:
            break
        for side in SIDES[:: 1 if turn % 2 else -1]:
            start = clock()
            _run(runs[side], setting)
            times[side].append(clock() - start)
    ratios = [theirs / ours for ours, theirs in zip(*(times[side] for side in SIDES), strict=True)]
    ours = statistics.median(times["worldloom"])
    return Result(
        pair.name,
        pair.shape,
        {side: statistics.median(times[side]) for side in SIDES},
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        len(ratios),
        agreement(outputs["worldloom"], outputs["diffusers"]),
        None if pair.flops is None else pair.flops / ours / peak,
        None,
    )


def agreement(ours: Tensor, theirs: Tensor) -> float:
    """Return the PSNR in dB of one output against the other's range; equal ones have 200."""
    ours, theirs = ours.double(), theirs.double()
    if ours.shape != theirs.shape:
        raise SystemExit(f"the outputs have shapes {tuple(ours.shape)} and {tuple(theirs.shape)}")
    extent = float(theirs.max() - theirs.min())
    error = float((ours - theirs).square().mean())
    return min(200.0, 10 * math.log10(extent**2 / max(error, 1e-300)))


def memory(pair: Pair, setting: Setting) -> dict[str, float]:
    """Return how many mebibytes each side needs at most above its loaded models, in a process of its own."""
    peaks = {}
    for side in SIDES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            peaks[side] = pool.submit(
                _peak_memory, (pair.name, pair.shape), side, setting, torch.get_num_threads()
            ).result()
    return peaks


def _peak_memory(row: tuple[str, str], side: str, setting: Setting, threads: int) -> float:
    torch.set_num_threads(threads)
    known = (pair for quick in (True, False) for pair in pairs(setting.model, quick, large=True))
    pair = next(pair for pair in known if (pair.name, pair.shape) == row)
    run = pair.build(side, setting)
    gc.collect()
    if setting.device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        _run(run, setting)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    CLEAR_REFS.write_text("5")  # the kernel starts its high-water mark anew
    before = _resident("VmRSS")
    _run(run, setting)
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    """Return a memory figure of this process in mebibytes, as Linux keeps it."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def _peak_rate(setting: Setting) -> float:
    """Return the floating-point operations a second of a large matrix product, the best of five."""
    size = 8192 if setting.device.type == "cuda" else 1024
    a, b = (torch.ones(size, size, device=setting.device, dtype=setting.dtype) for _ in range(2))
    clock, best = _clock(setting), math.inf
    for _ in range(5):
        start = clock()
        _run(lambda: a @ b, setting)
        best = min(best, clock() - start)
    return 2 * size**3 / best


@torch.inference_mode()
def _run(run: Run, setting: Setting) -> Tensor:
    output = run()
    if setting.device.type == "cuda":
        torch.cuda.synchronize()
    return output


def _clock(setting: Setting) -> Callable[[], float]:
    alone = setting.device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def main() -> None:
    options = _parse()
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    dtype = resolve_dtype(device) if options.dtype is None else DTYPES[options.dtype]
    setting = Setting(device, dtype, options.model)
    peak = _peak_rate(setting)
    described = f"{describe_device(device)}; computing in {str(dtype).removeprefix('torch.')}"
    say = (lambda line: None) if options.json else (lambda line: print(line, flush=True))
    say(f"{described}; {_clock(setting).__name__}; matrix product {peak / 1e12:.2f} TFLOP/s\n{HEADER}")
    words = options.rows.split(",")
    chosen = [
        pair
        for pair in pairs(options.model, options.quick, options.large)
        if any(word in pair.name for word in words)
    ]
    budget = options.seconds / (5 if options.quick else 1)
    results, savings = [], []
    for pair in chosen:
        results.append(measure(pair, setting, budget, peak))
        say(_line(results[-1]))
    for number, pair in enumerate(chosen):
        if pair.watch_memory and not options.no_memory:
            results[number] = replace(results[number], memory=memory(pair, setting))
            say(_memory_line(results[number]))
    for saving in sweep(setting, options.reuse, options.reuse_steps, _clock(setting)):
        savings.append(saving)
        say(_saving_line(saving))
    if options.json:
        rows = {"rows": [asdict(result) for result in results], "reuse": [asdict(s) for s in savings]}
        print(json.dumps({"machine": described, "peak": peak, **rows}))
    if options.plot:
        bars = [Bar(result.name, result.ratio, result.lowest, result.highest) for result in results]
        options.plot.write_text(bar_chart(f"Times diffusers' speed ({described})", "x", bars))


HEADER = (
    f"{'row':34}{'shape':26}{'worldloom':>11}{'diffusers':>11}   {'ratio (min-max)':22}{'alike':>8}{'MFU':>6}"
)


def _line(result: Result) -> str:
    ours, theirs = (f"{_time(result.seconds[side]):>11}" for side in SIDES)
    ratio = f"{result.ratio:.2f} ({result.lowest:.2f}-{result.highest:.2f}) n={result.rounds}"
    mfu = "" if result.mfu is None else f"{result.mfu:.0%}"
    return f"{result.name:34}{result.shape:26}{ours}{theirs}   {ratio:22}{result.agreement:5.0f} dB{mfu:>6}"


def _memory_line(result: Result) -> str:
    assert result.memory is not None
    ours, theirs = (f"{result.memory[side]:>7.0f} MiB" for side in SIDES)
    ratio = result.memory["diffusers"] / result.memory["worldloom"]
    return f"{'peak memory, ' + result.name:60}{ours}{theirs}   {ratio:.2f} times less"


def _saving_line(saving: Saving) -> str:
    return (
        f"{f'reuse {saving.threshold:g}, {saving.steps} steps':34}{f'{saving.computed} computed':26}"
        f"{_time(saving.seconds):>11}{'':11}   {f'{saving.ratio:.2f} of the full run':22}{saving.decibels:5.0f} dB"
        f"  (itself: {saving.estimated:.0f} dB)"
    )


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _thresholds(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(",") if word)


def _parse() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--dtype", choices=DTYPES, help="number format of both sides; default: the fast one")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--model", default="tiny", help="packaged name or checkpoint folder")
    parser.add_argument("--rows", default="", help="only rows with one of these words in their name")
    parser.add_argument("--seconds", type=float, default=6.0, help="per row, once three turns are taken")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer turns")
    parser.add_argument("--large", action="store_true", help="published sizes too; for a GPU")
    parser.add_argument("--no-memory", action="store_true", help="skip the rows on peak memory")
    parser.add_argument(
        "--reuse", type=_thresholds, default=(0.06, 0.1, 0.15), metavar="A,B", help="'' for none"
    )
    parser.add_argument("--reuse-steps", type=int, default=30, help="sampler steps of that sweep")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--plot", type=Path, help="write the ratios as an SVG")
    return parser.parse_args()


if __name__ == "__main__":
    main()
