"""What `worldloom worlds list | render | dataset | recaption` do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from worldloom.generate.size import parse_size
from worldloom.worlds import command

Outcome = tuple[dict[str, Any], str]


def list_worlds(args: argparse.Namespace) -> Outcome:
    """Families, a line each."""
    result = command.list_families()
    lines = [f"{name:12}{family['summary']}" for name, family in result["families"].items()]
    return result, "\n".join(lines)


def render(args: argparse.Namespace) -> Outcome:
    """One take to files."""
    size = parse_size(args.size)
    result = command.render(
        args.family,
        args.seed,
        args.output,
        truth=args.truth,
        arrays=args.arrays,
        width=size.width,
        height=size.height,
        seconds=args.seconds,
        force=args.force,
        quiet=args.quiet,
    )
    return result, "\n".join(result["files"])


def dataset(args: argparse.Namespace) -> Outcome:
    """A training set."""
    families = None if args.families is None else tuple(args.families.split(","))
    result = command.dataset(
        args.output,
        args.takes,
        seed=args.seed,
        families=families,
        scale=args.scale,
        workers=args.workers,
        quiet=args.quiet,
    )
    return result, f"{args.output}: {args.takes} takes"


def recaption(args: argparse.Namespace) -> Outcome:
    """New captions for a rendered set."""
    result = command.recaption(args.folder, args.wordings, quiet=args.quiet)
    return result, f"{args.folder}: {result['takes']} takes captioned in {result['wordings']} wordings"


ACTIONS: dict[str, Callable[[argparse.Namespace], Outcome]] = {
    "list": list_worlds,
    "render": render,
    "dataset": dataset,
    "recaption": recaption,
}
