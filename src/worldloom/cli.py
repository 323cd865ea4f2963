"""The command line: what can be said, and how it ends. Everything else is imported when its verb runs.

Exit codes: 0 done; 1 failed; 2 wrong usage or impossible request; 130 interrupted. Errors are one sentence on
stderr; `--debug` adds the traceback. `--json` prints one JSON object on stdout and nothing else there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from worldloom.commands.paint_arguments import PAINTING
from worldloom.core.allocator import keep_freed_memory
from worldloom.core.error import Failure, UsageError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
EXTRAS = {"mujoco": "worlds"}  # packages that only some verbs need, and the extra that brings them

Result = dict[str, Any]
Outcome = tuple[Result, str]  # for machines, and for people


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are errors like all others, and which takes no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug, as_json = "--debug" in words, "--json" in words  # also for errors of parsing itself
    try:
        result, text = run(words)
        _print(
            json.dumps(result, ensure_ascii=False) if as_json else text,
            quiet="--quiet" in words and not as_json,
        )
        return DONE if result.get("ok", True) else FAILED
    except SystemExit as done:  # argparse after --help or --version
        return int(done.code or DONE)
    except KeyboardInterrupt as interrupt:  # which may say what is left of the work
        return _fail(str(interrupt) or "interrupted", INTERRUPTED, debug, as_json)
    except UsageError as error:
        return _fail(str(error), WRONG_USAGE, debug, as_json)
    except Failure as error:
        return _fail(str(error), FAILED, debug, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains again at exit
        return FAILED
    except Exception as error:
        return _fail(_explained(error), FAILED, debug, as_json)


def _explained(error: Exception) -> str:
    """One sentence for a package that is not installed, or for a defect of this program."""
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return f"this verb needs {error.name}; run: pip install 'worldloom[{EXTRAS[error.name]}]'"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where; please report it)"


def run(words: Sequence[str]) -> Outcome:
    """Parse and do; returns what to print."""
    parser = build_parser()
    args, rest = parser.parse_known_args(words)
    if args.verb is None:
        parser.error("no verb is given; choose one of " + ", ".join(VERBS))
    if args.verb == "train":
        args.changes = read_changes(rest)
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    keep_freed_memory()
    return args.do(args)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="worldloom", description="Words, pictures and clips in; video worlds out.", parents=[_shared()]
    )
    # Parents lend their very actions, whose defaults this changes: the verbs get a parent of their own.
    parser.set_defaults(json=False, quiet=False, debug=False)
    shared = _shared()
    parser.add_argument("--version", action="version", version=_version())
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for name, add in VERBS.items():
        add(verbs, name, shared)
    return parser


def read_changes(words: Sequence[str]) -> dict[str, str]:
    """Return `--a.b=value` words as {"a.b": "value"}."""
    changes = {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not (word.startswith("--") and equals and name):
            raise UsageError(f"{word!r} is not --name.of.field=value (see worldloom train --help)")
        changes[name] = value
    return changes


def _shared() -> Parser:
    shared = Parser(add_help=False)
    output = shared.add_argument_group("everywhere")
    # SUPPRESS: a subparser's default must not undo what stood before the verb.
    for flag, text in (
        ("--json", "print one JSON object on stdout"),
        ("--quiet", "no progress, warnings or messages"),
        ("--debug", "show the traceback of an error"),
    ):
        output.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
    return shared


def _verb(verbs: Any, name: str, shared: Parser, summary: str, examples: str) -> Parser:
    lines = "\n".join(f"  worldloom {name} {example}" for example in examples.strip().splitlines())
    epilog = f"examples:\n{lines}".replace("    ", "")
    parser: Parser = verbs.add_parser(
        name, help=summary, description=summary, epilog=epilog, parents=[shared]
    )
    return parser


def _add_output(parser: Parser, metavar: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar=metavar, help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def _add_painting(verbs: Any, name: str, shared: Parser) -> None:
    painting = PAINTING[name]
    parser = _verb(verbs, name, shared, painting.summary, painting.examples)
    painting.add(parser)
    parser.set_defaults(do=_paint)


def _add_worlds(verbs: Any, name: str, shared: Parser) -> None:
    examples = """list
    render bounce --seed 7 -o take.mp4 --truth take.json
    dataset -o takes --takes 1000
    recaption takes --wordings 6"""
    parser = _verb(
        verbs, name, shared, "the simulated worlds: list, render a take, render a training set", examples
    )
    actions = parser.add_subparsers(
        dest="action", metavar="list|render|dataset|recaption", required=True, parser_class=Parser
    )
    parser.set_defaults(do=_worlds)
    actions.add_parser("list", parents=[shared], help="families and what they draw")
    render = actions.add_parser("render", parents=[shared], help="one take, with its truth")
    render.add_argument("family", metavar="FAMILY")
    render.add_argument("--seed", type=int, default=0, metavar="N")
    _add_output(render, "TAKE.mp4")
    render.add_argument("--truth", type=Path, metavar="TAKE.json", help="poses, contacts, captions, ...")
    render.add_argument("--arrays", type=Path, metavar="TAKE.npz", help="instance masks and depth")
    render.add_argument("--size", default="256x256", metavar="WxH")
    render.add_argument("--seconds", type=float, default=2.0, metavar="S")
    dataset = actions.add_parser(
        "dataset", parents=[shared], help="a training set; goes on where it was stopped"
    )
    dataset.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    dataset.add_argument("--takes", type=int, required=True, metavar="N")
    dataset.add_argument("--seed", type=int, default=0, metavar="N")
    dataset.add_argument("--families", metavar="A,B,...", help="default: all")
    dataset.add_argument("--workers", type=int, metavar="N", help="default: one for each core")
    dataset.add_argument("--scale", type=int, default=1, metavar="N", help="2: the 256-pixel class")
    recaption = actions.add_parser("recaption", parents=[shared], help="new captions for a rendered set")
    recaption.add_argument("folder", type=Path, metavar="DIR")
    recaption.add_argument("--wordings", type=int, default=4, metavar="N", help="per language and length")


def _add_train(verbs: Any, name: str, shared: Parser) -> None:
    examples = """tiny --minutes=180 --takes=5000
    vae_debug
    dit_tiny --optimizer.learning_rate=1e-3 --resume"""
    parser = _verb(
        verbs, name, shared, "run a recipe, or all stages of a model; an interrupted run goes on", examples
    )
    parser.usage = (
        "worldloom train RECIPE|COURSE [--name.of.field=value ...] [--run DIR] [--resume | --no-resume]"
    )
    parser.add_argument("recipe", metavar="RECIPE")
    parser.add_argument("--run", type=Path, metavar="DIR", help="the run's folder; default: runs/RECIPE")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on with the run in the folder, if there is one (default)",
    )
    parser.set_defaults(do=_train)


def _add_evaluate(verbs: Any, name: str, shared: Parser) -> None:
    parser = _verb(
        verbs, name, shared, "measure a model: one table, and how each number was made", "prompts -o out"
    )
    parser.add_argument(
        "suite",
        metavar="SUITE",
        help="judge, autoencoder, prompts, physics, causes, motion, distribution, verbs, drift, gallery, all or report",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    parser.add_argument("--force", action="store_true", help="replace an existing report")
    parser.add_argument("--model", default="tiny", metavar="NAME_OR_FOLDER", help="default: tiny")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="default: auto")
    parser.add_argument("--steps", type=int, metavar="N", help="sampler steps, 1 to 1000")
    parser.add_argument("--guidance", type=float, metavar="G", help="1 to 50")
    parser.add_argument("--temperature", type=float, metavar="T", help="of the noise, 0 to 2")
    parser.add_argument("--epsilon-scale", type=float, metavar="S", help="of the noise found, 0.5 to 1.5")
    parser.add_argument("--deflicker", type=float, metavar="LEVELS", help="of 255, 0 to 64, in new footage")
    parser.add_argument(
        "--history-guidance",
        type=float,
        metavar="G",
        help="1 to 50, in place of --guidance where frames are given",
    )
    parser.add_argument("--stillness", type=float, metavar="D", help="0 to 2, where frames are given")
    parser.add_argument("--fast", action="store_true", help="with the model's own adapter for few steps")
    parser.add_argument("--takes", type=int, metavar="N", help="held-out takes; default: the suite's own")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the suite: other takes, 0 to 999"
    )
    parser.add_argument(
        "--clips", type=Path, metavar="DIR", help="keeps painted clips; default: clips in DIR of -o"
    )
    parser.add_argument(
        "--train", action="store_true", help="judge: train it anew (with --force over the present one)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="judge: dataset folder to train on as well",
    )
    parser.set_defaults(do=_evaluate)


def _add_models(verbs: Any, name: str, shared: Parser) -> None:
    from worldloom.commands import model_arguments

    summary = "models in the package, and released ones: list, show, import, export"
    parser = _verb(verbs, name, shared, summary, model_arguments.EXAMPLES)
    model_arguments.add_actions(parser, shared)
    parser.set_defaults(do=_models)


def _add_doctor(verbs: Any, name: str, shared: Parser) -> None:
    parser = _verb(verbs, name, shared, "what this machine has, and how to install what it lacks", "--json")
    parser.set_defaults(do=_doctor)


VERBS: dict[str, Callable[[Any, str, Parser], None]] = {
    **dict.fromkeys(PAINTING, _add_painting),
    "worlds": _add_worlds,
    "train": _add_train,
    "evaluate": _add_evaluate,
    "models": _add_models,
    "doctor": _add_doctor,
}


def _paint(args: argparse.Namespace) -> Outcome:
    from worldloom.commands import paint

    result = paint.run(args)
    return result, paint.describe(result)


def _worlds(args: argparse.Namespace) -> Outcome:
    from worldloom.commands import worlds

    return worlds.ACTIONS[args.action](args)


def _train(args: argparse.Namespace) -> Outcome:
    from dataclasses import asdict

    from worldloom.recipes.registry import COURSES

    folder = Path("runs") / args.recipe if args.run is None else args.run
    if args.recipe in COURSES:
        from worldloom.recipes.course import follow

        outcome = follow(args.recipe, args.changes, folder, resume=args.resume, quiet=args.quiet)
    else:
        from worldloom.recipes.command import train

        outcome = train(args.recipe, args.changes, folder, resume=args.resume, quiet=args.quiet)
    return {**asdict(outcome), "run": str(outcome.run)}, ""


def _evaluate(args: argparse.Namespace) -> Outcome:
    from worldloom.evaluate import command

    if args.train:
        if args.suite != "judge":
            raise UsageError(f"--train is for the judge, not for {args.suite}")
        return command.train_judge_anew(data=tuple(args.data), force=args.force, quiet=args.quiet)
    painting = command.Painting(
        steps=args.steps,
        guidance=args.guidance,
        temperature=args.temperature,
        epsilon_scale=args.epsilon_scale,
        deflicker=args.deflicker,
        history_guidance=args.history_guidance,
        stillness=args.stillness,
        device=args.device,
        fast=args.fast,
    )
    return command.evaluate(
        args.suite, args.model, output=args.output, painting=painting, takes=args.takes, seed=args.seed,
        clips=args.clips, force=args.force, quiet=args.quiet,
    )  # fmt: skip


def _models(args: argparse.Namespace) -> Outcome:
    from worldloom.commands import models

    return models.ACTIONS[args.action](args)


def _doctor(args: argparse.Namespace) -> Outcome:
    from worldloom.commands import doctor

    result = doctor.examine()
    return result, doctor.describe(result)


def _fail(sentence: str, code: int, debug: bool, as_json: bool) -> int:
    if debug:
        traceback.print_exc()
    one_line = " ".join(sentence.split())
    print(f"worldloom: {one_line}", file=sys.stderr)
    if as_json:
        _print(
            json.dumps({"error": {"message": one_line, "exit_code": code}}, ensure_ascii=False), quiet=False
        )
    return code


def _print(text: str, quiet: bool) -> None:
    if text and not quiet:
        print(text, flush=True)


def _version() -> str:
    from importlib.metadata import version

    return f"worldloom {version('worldloom')}"


if __name__ == "__main__":
    sys.exit(main())
