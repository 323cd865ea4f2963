"""What the verbs that paint do: a request, a bar, a file."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from worldloom.core.error import UsageError
from worldloom.core.progress import Bar, progress
from worldloom.generate.board_file import read_board
from worldloom.generate.clip import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    Footage,
    check_beginning,
    check_output,
    folder_of,
)
from worldloom.generate.journal import recorded_settings
from worldloom.generate.pipeline import Pipeline
from worldloom.generate.preset import find_preset
from worldloom.generate.request import RANDOM_SEED, SEED_LIMIT
from worldloom.generate.stream import Options, Stream

MAX_VARIATIONS = 1000
FULL_COLOUR = (
    "; in 4:4:4 for the frames given, which Chrome, VLC and mpv play (--chroma 420 plays everywhere)"
)


def run(args: Namespace) -> dict[str, Any]:
    """Paint what the parsed command line asks for; returns what was written, for people or as JSON."""
    picture = args.verb == "image"
    targets = variation_paths(args.output, args.variations)
    resume = getattr(args, "resume", False)
    for target in targets:  # before the models are loaded, let alone run
        check_output(target, args.force, PICTURE_SUFFIXES if picture else VIDEO_SUFFIXES)
        if not picture:
            check_beginning(target, args.force, resume)
    if resume:
        _take_up(args, targets)
    find_preset(args.style)  # likewise
    if args.verb == "storyboard":
        args.board = read_board(args.board)
    pipeline = Pipeline.from_pretrained(
        args.model,
        device=args.device,
        offload=args.offload,
        tile=args.tile,
        force_memory=args.force_memory,
        lora=args.lora,
        fast=args.fast,
        fp8=args.fp8,
    )
    if not args.quiet:
        _warn_of_unknown_words(pipeline, _words(args))
    written: list[dict[str, Any]] = []
    for number, target in enumerate(targets):
        with Meter(target.name, args.quiet) as meter:
            options = _options(args, meter)
            if written:  # variations count on from the first one's seed, also from a drawn one
                options["seed"] = (written[0]["seed"] + number) % SEED_LIMIT
            footage = LAYOUTS[args.verb](pipeline, args, options)
            began = time.perf_counter()
            if picture:
                footage.clip().save(target, args.force)
            else:
                footage.save(target, args.force, resume, args.chroma)
        taken = round(time.perf_counter() - began, 3)
        reused = _reused(pipeline)
        written.append({"file": str(target), **footage.settings, **reused, "seconds_taken": taken})
    return {"files": written}


def describe(result: dict[str, Any]) -> str:
    """Return what was written as lines for people."""
    return "\n".join(
        f"{file['file']}: {file['frames']} frames of {file['size']} at {file['fps']} frames/s, "
        f"seed {file['seed']}, {file['seconds_taken']:.1f} s{FULL_COLOUR * (file.get('chroma') == '4:4:4')}"
        f"{_describe_reused(file)}{_describe_fp8(file)}"
        for file in result["files"]
    )


class Meter:
    """A bar over all steps of a request, which appears when their number is known."""

    def __init__(self, label: str, quiet: bool) -> None:
        self.label, self.quiet = label, quiet
        self.bar: Bar | None = None
        self.stack = ExitStack()

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def __call__(self, done: int, total: int) -> None:
        if self.bar is None:
            self.bar = self.stack.enter_context(progress(total, self.label, self.quiet, "step"))
        self.bar.jump(done, total)


def variation_paths(output: Path, count: int) -> list[Path]:
    """Return the files of `count` variations: `ball.mp4`, or `ball-1.mp4`, `ball-2.mp4`, ..."""
    if not 1 <= count <= MAX_VARIATIONS:
        raise UsageError(f"-n is {count}; it must be from 1 to {MAX_VARIATIONS}")
    if count == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{number}{output.suffix}") for number in range(1, count + 1)]


def _take_up(args: Namespace, targets: list[Path]) -> None:
    """Give `args` the seed of the interrupted run, where one was drawn."""
    if len(targets) > 1:
        raise UsageError(
            f"--resume goes on with one file, -n is {len(targets)}; name the unfinished file alone"
        )
    before = recorded_settings(folder_of(targets[0]))
    if before is not None and args.seed is None:
        args.seed = before["seed"]


def _generate(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.generate(
        args.prompt,
        seconds=args.seconds,
        num_frames=args.frames,
        size=args.size,
        fps=args.fps,
        image=args.image,
        last_image=args.last_image,
        force_size=args.force_size,
        upsampler=args.upsampler or pipeline.stream.upsampler,
        **options,
    )


def _image(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.image(
        args.prompt,
        size=args.size,
        force_size=args.force_size,
        upsampler=args.upsampler or pipeline.stream.upsampler,
        **options,
    )


def _extend(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.extend(
        args.clip,
        seconds=args.seconds,
        num_frames=args.frames,
        backward=args.backward,
        prompt=args.prompt,
        **options,
    )


def _loop(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.loop(
        args.clip, seconds=args.seconds, num_frames=args.frames, prompt=args.prompt, **options
    )


def _connect(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.connect(
        args.first, args.second, seconds=args.seconds, num_frames=args.frames, prompt=args.prompt, **options
    )


def _edit(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.edit(args.clip, args.prompt, strength=args.strength, mask=args.mask, **options)


def _remix(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.remix(args.clip, args.prompt, strength=args.strength, mask=args.mask, **options)


def _recut(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.recut(
        args.clip, args.keep, seconds=args.seconds, num_frames=args.frames, prompt=args.prompt, **options
    )


def _storyboard(pipeline: Pipeline, args: Namespace, options: Options) -> Footage:
    return pipeline.stream.storyboard(args.board, **options)


LAYOUTS: dict[str, Callable[[Pipeline, Namespace, Options], Footage]] = {
    "generate": _generate,
    "image": _image,
    "extend": _extend,
    "loop": _loop,
    "connect": _connect,
    "edit": _edit,
    "remix": _remix,
    "recut": _recut,
    "storyboard": _storyboard,
}


def _options(args: Namespace, meter: Meter) -> Options:
    return {
        "seed": RANDOM_SEED if args.seed is None else args.seed,
        "steps": args.steps,
        "guidance": args.guidance,
        "negative": args.negative,
        "sampler": args.sampler,
        "temperature": args.temperature,
        "epsilon_scale": args.epsilon_scale,
        "deflicker": args.deflicker,
        "history_guidance": args.history_guidance,
        "stillness": args.stillness,
        "reuse": args.reuse,
        "guidance_range": args.guidance_range,
        "style": args.style,
        "on_step": meter,
    }


def _reused(pipeline: Pipeline) -> dict[str, Any]:
    """Return what step reuse saved since it was last asked, and forget it."""
    if not isinstance(pipeline.stream, Stream) or not (reused := pipeline.stream.engine.reused):
        return {}
    runs, reused[:] = tuple(reused), []
    return {
        "steps_asked": sum(run.calls for run in runs),
        "steps_computed": sum(run.evaluations for run in runs),
        # a run that reused nothing is exact; JSON has no infinity
        "reuse_decibels": round(min(999.0, *(run.decibels for run in runs)), 1),
    }


def _describe_reused(file: dict[str, Any]) -> str:
    if "steps_asked" not in file:
        return ""
    return (
        f"; computed {file['steps_computed']} of {file['steps_asked']} steps, latents an estimated "
        f"{file['reuse_decibels']:.0f} dB from computing all"
    )


def _describe_fp8(file: dict[str, Any]) -> str:
    return (
        f"; fp8, velocities {file['fp8_decibels']:.0f} dB above its error" if "fp8_decibels" in file else ""
    )


def _words(args: Namespace) -> str | None:
    return args.board.prompt if args.verb == "storyboard" else args.prompt


def _warn_of_unknown_words(pipeline: Pipeline, prompt: str | None) -> None:
    if words := pipeline.unknown_words(prompt or ""):
        listed = ", ".join(repr(word) for word in words)
        print(f"warning: the model has never seen the words {listed}", file=sys.stderr)
