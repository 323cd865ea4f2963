"""Storyboards as YAML files, read strictly: what is wrong is named with its line."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import yaml

from worldloom.core.error import UsageError
from worldloom.generate.board import Board, BoardCard

MAX_BYTES = 1 << 20
MAX_CARDS = 1000
TEXT, WHOLE, DECIMAL = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float"))


def read_board(path: str | os.PathLike[str]) -> Board:
    """Return the storyboard in a YAML file; its pictures and clips are named relative to the file.

    Raises UsageError with the file's name and the line for anything that `docs/storyboard.md` does not allow.
    """
    path = Path(path)
    values = _Reader(path).mapping(_parse(path), BOARD_KEYS, required=("seconds", "cards"))
    cards = [_card(path, node) for node in values.pop("cards")]
    return Board(cards=cards, place=str(path), **values)


def _parse(path: Path) -> yaml.Node:
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is not a file")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise UsageError(f"{path} has {size} bytes; a board has at most {MAX_BYTES}")
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise UsageError(f"{place}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not a YAML text: {error}") from error
    if node is None:
        raise UsageError(f"{path} is empty; a board has {_listed(BOARD_KEYS)}")
    return node


def _card(path: Path, node: yaml.Node) -> BoardCard:
    reader = _Reader(path)
    values = reader.mapping(node, CARD_KEYS, required=("at",))
    for key in ("picture", "clip"):
        if key in values:
            values[key] = path.parent / values[key]
    for key in ("from", "to"):
        if key in values and "clip" not in values:
            raise UsageError(f"{reader.place(node)}: {key!r} cuts a clip, and the card has none")
    renamed = {{"from": "start", "to": "stop"}.get(key, key): value for key, value in values.items()}
    return BoardCard(place=reader.place(node), **renamed)


class _Reader:
    """Values of YAML nodes, each of the kind that is expected at its place."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, node: yaml.Node) -> str:
        return f"{self.path}, line {node.start_mark.line + 1}"

    def mapping(self, node: yaml.Node, schema: dict[str, str], required: tuple[str, ...]) -> dict[str, Any]:
        """Return the values of a mapping whose keys are all in `schema`, which says of which kind each is."""
        if not isinstance(node, yaml.MappingNode):
            raise UsageError(f"{self.place(node)}: here must be a mapping with {_listed(schema)}")
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value not in schema:
                shown = key.value if isinstance(key, yaml.ScalarNode) else "of several values"
                raise UsageError(f"{self.place(key)}: unknown key {shown!r}; allowed are {_listed(schema)}")
            if key.value in values:
                raise UsageError(f"{self.place(key)}: {key.value!r} is given twice")
            values[key.value] = getattr(self, schema[key.value])(key.value, value)
        for key in required:
            if key not in values:
                raise UsageError(f"{self.place(node)}: {key!r} is missing")
        return values

    def text(self, key: str, node: yaml.Node) -> str:
        if node.tag != TEXT:
            raise UsageError(f"{self.place(node)}: {key!r} must be text; put it in quotes if it is")
        return str(node.value)

    def number(self, key: str, node: yaml.Node) -> float:
        wrong = UsageError(f"{self.place(node)}: {key!r} must be a number, not {_shown(node)}")
        if node.tag not in (WHOLE, DECIMAL):
            raise wrong
        try:
            number = float(node.value)
        except ValueError:  # 1:30, 0x10 and .inf are numbers to YAML
            raise wrong from None
        if not math.isfinite(number) or number < 0:
            raise wrong
        return number

    def nodes(self, key: str, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise UsageError(f"{self.place(node)}: {key!r} must be a list, each entry beginning with a dash")
        if len(node.value) > MAX_CARDS:
            raise UsageError(f"{self.place(node)}: {len(node.value)} cards; at most {MAX_CARDS} are allowed")
        return list(node.value)


# The schema: which keys there are, and which method of _Reader reads each.
BOARD_KEYS = {"seconds": "number", "size": "text", "fps": "number", "cards": "nodes"}
CARD_KEYS = {
    "at": "number",
    "text": "text",
    "picture": "text",
    "clip": "text",
    "from": "number",
    "to": "number",
}


def _listed(schema: dict[str, str]) -> str:
    return ", ".join(schema)


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
