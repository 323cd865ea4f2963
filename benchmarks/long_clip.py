"""A long clip against a short one: peak memory, time per second of footage, and kills with resumption.

    python -m benchmarks.long_clip --fast --kills 5

Every run is a `worldloom generate` in a process of its own. The clips of `--seconds` (8 and 60) are painted with the
same seed; the long one is then painted again, killed at random moments (SIGKILL and Ctrl-C in turn) and resumed until
it is whole, and its frames are compared with the unbroken run's. After each kill the draft left behind is decoded.

Peak memory is the largest resident set the kernel saw. Time is processor time, so that neighbours on the machine do
not count; start-up, the time of a clip of one window, is taken off before it is divided by the seconds of footage.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.video import read_video
from worldloom.evaluate.drift import find_drift

PROMPT = "a red ball bounces on a wooden floor"
RETURNED = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}


@dataclass(frozen=True)
class Run:
    """How one process ended: its exit code, processor seconds, wall seconds and peak memory in MiB."""

    code: int
    processor: float
    wall: float
    peak: float


def start(target: Path, seconds: float, options: argparse.Namespace, *more: str) -> subprocess.Popen[bytes]:
    """Start `worldloom generate` into `target`."""
    words = [sys.executable, "-m", "worldloom.cli", "--quiet", "generate", PROMPT, "-o", str(target)]
    words += [
        "--seconds",
        str(seconds),
        "--seed",
        "7",
        "--model",
        options.model,
        "--size",
        options.size,
    ]
    words += ["--fast"] if options.fast else ["--steps", str(options.steps)]
    words += [*(["--force-size"] if options.force_size else []), *more]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL)


def finish(process: subprocess.Popen[bytes], began: float) -> Run:
    """Wait for a process, and ask the kernel what it used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    processor = usage.ru_utime + usage.ru_stime
    return Run(process.returncode, processor, time.monotonic() - began, usage.ru_maxrss / 1024)


def paint(target: Path, seconds: float, options: argparse.Namespace, *more: str) -> Run:
    """Run to the end."""
    began = time.monotonic()
    run = finish(start(target, seconds, options, *more), began)
    if run.code:
        raise SystemExit(f"painting {target.name} ended with exit code {run.code}")
    return run


def kill_and_resume(
    target: Path, unbroken: np.ndarray, duration: float, options: argparse.Namespace
) -> list[str]:
    """Paint the long clip with kills at random moments; returns what each left, or raises SystemExit."""
    moments, told = random.Random(options.seed), []
    for number in range(options.kills):
        kind = (signal.SIGKILL, signal.SIGINT)[number % 2]
        began = time.monotonic()
        process = start(target, options.seconds[1], options, "--resume")
        try:
            process.wait(moments.uniform(0, duration / 2))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, kind)
        run = finish(process, began) if process.returncode is None else None
        if run is None or run.code == 0:
            told.append("the run was whole before its kill")
            break
        if run.code != RETURNED[kind]:
            raise SystemExit(f"after {kind.name} the exit code is {run.code}, not {RETURNED[kind]}")
        told.append(f"{kind.name:7s} after {run.wall:5.1f} s: {left_behind(target, unbroken)}")
    if not target.exists():
        paint(target, options.seconds[1], options, "--resume")
    return told


def left_behind(target: Path, unbroken: np.ndarray) -> str:
    """Say what an interrupted run left, having decoded it."""
    draft = target.with_name(f"{target.stem}.partial{target.suffix}")
    if not draft.exists():
        return "nothing was finished"
    try:
        frames = read_video(draft).frames
    except UsageError as error:
        return f"a draft that cannot be played: {error}"
    error = np.abs(frames.astype(np.int16) - unbroken[: len(frames)]).mean() if len(frames) else 0.0
    return f"a draft of {len(frames)} frames, {error:.2f} levels from the unbroken clip"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--size", default="256x256")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--fast", action="store_true", help="with the model's adapter for few steps")
    parser.add_argument("--force-size", action="store_true", help="paint that size, without the upsampler")
    parser.add_argument("--seconds", type=float, nargs=2, default=(8.0, 60.0), metavar=("SHORT", "LONG"))
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the kills' moments")
    options = parser.parse_args()
    short, long = options.seconds
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        starting = paint(folder / "start.mp4", 0.5, options)
        runs: dict[float, Run] = {}
        for seconds in (short, long):
            runs[seconds] = run = paint(folder / f"{seconds:g}.mp4", seconds, options)
            each = (run.processor - starting.processor) / seconds
            print(
                f"{seconds:5g} s of {options.size}, {'fast' if options.fast else f'{options.steps} steps'}: peak {run.peak:7.1f} MiB, "
                f"{run.processor:7.1f} s of processor, {each:6.3f} s per second of footage, {run.wall:7.1f} s of wall",
                flush=True,
            )
        whole = read_video(folder / f"{long:g}.mp4")
        rates = [(run.processor - starting.processor) / seconds for seconds, run in runs.items()]
        print(f"peak memory of the long clip over the short one: {runs[long].peak / runs[short].peak:.3f}")
        print(f"time per second of footage, long over short: {rates[1] / rates[0]:.3f}")
        drift = find_drift(whole.frames, whole.fps, min(5.0, long / 2))
        print("last 5 s over first 5 s: " + ", ".join(f"{name} {value:.3f}" for name, value in drift.items()))
        broken = folder / "broken.mp4"
        for line in kill_and_resume(broken, whole.frames, runs[long].wall, options):
            print(line, flush=True)
        same = np.array_equal(read_video(broken).frames, whole.frames)
        print(f"frames after kills equal to the unbroken run's: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
