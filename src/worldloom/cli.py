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


def _add_resume(parser: Parser) -> None:
    parser.add_argument(
        "--resume", action="store_true", help="go on with an interrupted run, from OUT.partial beside OUT.mp4"
    )


def _add_style(parser: Parser) -> None:
    style = parser.add_argument_group("how to paint")
    style.add_argument("--model", default="tiny", metavar="NAME_OR_FOLDER", help="default: tiny")
    style.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="default: auto")
    style.add_argument("--seed", type=int, metavar="N", help="same seed, same frames; -1 (default) draws one")
    style.add_argument("--steps", type=int, metavar="N", help="sampler steps, 1 to 1000")
    style.add_argument(
        "--guidance", type=float, metavar="G", help="how closely to follow the prompt, 1 to 50"
    )
    style.add_argument("--negative", default="", metavar="TEXT", help="what should not be seen")
    style.add_argument("--sampler", metavar="euler|heun|unipc")


def _add_duration(parser: Parser, default: str) -> None:
    parser.add_argument("--seconds", type=float, metavar="S", help=f"duration of the new footage; {default}")
    parser.add_argument("--frames", type=int, metavar="N", help="the same as a count of frames")


def _add_size(parser: Parser) -> None:
    parser.add_argument("--size", metavar="WxH", help="also 1280*720, 480p, 720p, 1080p")
    parser.add_argument("--force-size", action="store_true", help="paint a size the model was not trained on")


def _add_generate(verbs: Any, name: str, shared: Parser) -> None:
    examples = """"a red ball bounces on a wooden floor" -o ball.mp4
    "一个红球在木地板上弹跳" --seconds 2 --seed 7 -o ball.mp4
    "the ball rolls away" --image first.png --size 160x96 -o roll.mp4"""
    parser = _verb(verbs, name, shared, "text to video", examples)
    parser.add_argument("prompt", metavar="PROMPT", help="what should be seen, in English or Chinese")
    _add_output(parser, "OUT.mp4")
    _add_resume(parser)
    parser.add_argument("--image", type=Path, metavar="FILE", help="the first frame")
    parser.add_argument("--last-image", type=Path, metavar="FILE", help="the last frame")
    _add_duration(parser, "default: what the model was trained on")
    _add_size(parser)
    parser.add_argument("--fps", type=float, metavar="N", help="frames per second of the file, 1 to 120")
    parser.add_argument("-n", dest="variations", type=int, default=1, metavar="N", help="write N variations")
    _add_style(parser)
    parser.set_defaults(do=_paint)


def _add_image(verbs: Any, name: str, shared: Parser) -> None:
    parser = _verb(verbs, name, shared, "text to image: one frame", '"a blue box on sand" -o box.png')
    parser.add_argument("prompt", metavar="PROMPT", help="what should be seen, in English or Chinese")
    _add_output(parser, "OUT.png")
    _add_size(parser)
    parser.add_argument("-n", dest="variations", type=int, default=1, metavar="N", help="write N variations")
    _add_style(parser)
    parser.set_defaults(do=_paint)


def _add_extend(verbs: Any, name: str, shared: Parser) -> None:
    examples = """ball.mp4 --seconds 2 -o longer.mp4
    ball.mp4 --seconds 1 --backward --prompt "a red ball falls" -o earlier.mp4"""
    parser = _verb(verbs, name, shared, "new footage after or before a clip, which stays as it is", examples)
    parser.add_argument("clip", type=Path, metavar="CLIP")
    _add_output(parser, "OUT.mp4")
    _add_resume(parser)
    _add_duration(parser, "required, this or --frames")
    parser.add_argument("--backward", action="store_true", help="before the clip instead of after it")
    parser.add_argument("--prompt", metavar="TEXT", help="default: the one recorded in the clip")
    _add_style(parser)
    parser.set_defaults(do=_paint)


def _add_loop(verbs: Any, name: str, shared: Parser) -> None:
    summary = "a closing stretch, so that the clip's last frame runs into its first"
    parser = _verb(verbs, name, shared, summary, "ball.mp4 --seconds 1 -o endless.mp4")
    parser.add_argument("clip", type=Path, metavar="CLIP")
    _add_output(parser, "OUT.mp4")
    _add_resume(parser)
    _add_duration(parser, "default: 1 second")
    parser.add_argument("--prompt", metavar="TEXT", help="default: the one recorded in the clip")
    _add_style(parser)
    parser.set_defaults(do=_paint)


def _add_connect(verbs: Any, name: str, shared: Parser) -> None:
    parser = _verb(
        verbs, name, shared, "new footage between two clips", "one.mp4 two.mp4 --seconds 1 -o both.mp4"
    )
    parser.add_argument("first", type=Path, metavar="A")
    parser.add_argument("second", type=Path, metavar="B")
    _add_output(parser, "OUT.mp4")
    _add_resume(parser)
    _add_duration(parser, "default: 1 second")
    parser.add_argument("--prompt", metavar="TEXT", help="default: the one recorded in the first clip")
    _add_style(parser)
    parser.set_defaults(do=_paint)


def _add_edit(verbs: Any, name: str, shared: Parser) -> None:
    examples = """ball.mp4 "a green ball bounces on snow" --strength 0.6 -o snow.mp4
    ball.mp4 "a blue cube" --mask region.png -o cube.mp4"""
    parser = _verb(verbs, name, shared, "same motion, new look; with a mask, only inside it", examples)
    parser.add_argument("clip", type=Path, metavar="CLIP")
    parser.add_argument("prompt", metavar="PROMPT")
    _add_output(parser, "OUT.mp4")
    _add_resume(parser)
    parser.add_argument("--strength", type=float, metavar="0..1", help="default: 0.7, or 1 inside a mask")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="picture or clip, white where to change")
    _add_style(parser)
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
    examples = """vae_debug
    dit_tiny --optimizer.learning_rate=1e-3 --resume"""
    parser = _verb(verbs, name, shared, "run a named, complete recipe; an interrupted run goes on", examples)
    parser.usage = "worldloom train RECIPE [--name.of.field=value ...] [--run DIR] [--resume | --no-resume]"
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
    parser.add_argument("suite", metavar="SUITE", help="prompts, autoencoder, or judge (trains it)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    parser.add_argument("--force", action="store_true", help="replace an existing report")
    parser.add_argument("--model", default="tiny", metavar="NAME_OR_FOLDER", help="default: tiny")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="default: auto")
    parser.add_argument("--steps", type=int, metavar="N", help="sampler steps, 1 to 1000")
    parser.add_argument("--guidance", type=float, metavar="G", help="1 to 50")
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
    "generate": _add_generate,
    "image": _add_image,
    "extend": _add_extend,
    "loop": _add_loop,
    "connect": _add_connect,
    "edit": _add_edit,
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

    from worldloom.recipes import command

    folder = Path("runs") / args.recipe if args.run is None else args.run
    outcome = command.train(args.recipe, args.changes, folder, resume=args.resume, quiet=args.quiet)
    return {**asdict(outcome), "run": str(outcome.run)}, ""


def _evaluate(args: argparse.Namespace) -> Outcome:
    from worldloom.evaluate import command

    painting = command.Painting(steps=args.steps, guidance=args.guidance, device=args.device)
    return command.evaluate(
        args.suite, args.model, output=args.output, painting=painting, force=args.force, quiet=args.quiet
    )


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
