"""What can be said after `worldloom models`; light, for the parser is built at every call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """list
    show tiny
    import Wan2.1-T2V-1.3B-Diffusers -o wan
    import wan2.1_t2v_14B.safetensors Wan2.1_VAE.safetensors umt5 -o wan --dtype bf16
    export wan -o plain
    difference tiny runs/dit_fast/ema -o fast.safetensors
    mean tiny runs/dit_tiny/ema -o between"""
DTYPES = ("bf16", "fp32")


def add_actions(parser: Any, shared: Any) -> None:
    """Add list, show, import, export, difference and mean to the parser of the verb."""
    actions = parser.add_subparsers(
        dest="action",
        metavar="list|show|import|export|difference|mean",
        required=True,
        parser_class=type(parser),
    )
    actions.add_parser("list", parents=[shared], help="models in the package")
    show = actions.add_parser(
        "show", parents=[shared], help="one model: its parts, and whether all is intact"
    )
    show.add_argument("model", metavar="NAME_OR_FOLDER")
    take = actions.add_parser("import", parents=[shared], help="make a checkpoint folder of a released model")
    take.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="a diffusers folder, an original release, or files and folders with a part each",
    )
    _add_target(take)
    take.add_argument("--dtype", choices=DTYPES, help="of the weights written; default: as they are")
    give = actions.add_parser("export", parents=[shared], help="copy a model for use elsewhere")
    give.add_argument("model", metavar="NAME_OR_FOLDER")
    _add_target(give)
    give.add_argument(
        "--layout", choices=("diffusers", "original"), default="diffusers", help="default: diffusers"
    )

    subtract = actions.add_parser(
        "difference", parents=[shared], help="two transformers' difference as a low-rank adapter for --lora"
    )
    subtract.add_argument("base", metavar="NAME_OR_FOLDER")
    subtract.add_argument("tuned", metavar="TUNED")
    _add_target(subtract, "FILE", "the safetensors file to write")
    subtract.add_argument("--rank", type=int, default=32, metavar="N", help="default: 32")
    subtract.add_argument(
        "--part", choices=("transformer", "transformer_2"), default="transformer", help="default: transformer"
    )
    mean = actions.add_parser(
        "mean",
        parents=[shared],
        help="a model whose weights lie between two others', often better than either",
    )
    mean.add_argument("base", metavar="NAME_OR_FOLDER")
    mean.add_argument("tuned", metavar="TUNED")
    mean.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="the folder to write"
    )
    mean.add_argument("--share", type=float, default=0.5, metavar="S", help="of the second one; default: 0.5")
    mean.add_argument("--dtype", choices=DTYPES, default="bf16", help="of the weights written; default: bf16")


def _add_target(
    parser: argparse.ArgumentParser, kind: str = "FOLDER", what: str = "the folder to write"
) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar=kind, help=what)
    parser.add_argument("--force", action="store_true", help="replace an existing one")
