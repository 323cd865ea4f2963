"""What is true of a take in the words that judges answer in, and which of it a prompt says."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.families import FAMILIES

COUNTED = {
    "bounce": "ball", "billiards": "ball", "dominoes": "domino", "stack": "block", "drive": "cone", "pusher": "block",
}  # fmt: skip
"""By family: the noun of the things that are counted. The others always show as many."""
MOST = 12
"""The largest count there is: blocks of a wall."""
OUTCOMES = tuple(f"{name}: {outcome}" for name, family in FAMILIES.items() for outcome in family.OUTCOMES)
"""Outcomes of all families; the same word means different things in two of them."""
MIRROR = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Labels:
    """Of a take: `colour` and `material` are the main object's.

    `count` is None in families without one, `outcome` where the take ends before it is known.
    """

    family: str
    colour: str
    material: str
    count: int | None
    camera: str
    outcome: str | None

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def labels_of(truth: dict[str, Any]) -> Labels:
    """Return the labels of a take from its truth."""
    family, main = truth["family"], truth["objects"][0]
    noun = COUNTED.get(family)
    facts = truth["facts"]
    return Labels(
        family=family,
        colour=main["colour"],
        material=main["material"],
        count=None if noun is None else sum(thing["noun"] == noun for thing in truth["objects"]),
        camera=truth["look"]["camera_move"],
        outcome=None if facts["details"].get("undecided") else f"{family}: {facts['outcome']}",
    )


def mirrored(label: str) -> str:
    """Return a camera move or outcome as seen in a mirror: what goes left goes right."""
    return re.sub("left|right", lambda found: MIRROR[found.group()], label)


def says(prompt: str, language: str, length: str, labels: Labels) -> set[str]:
    """Return which labels a caption of the take says: those a clip made from it can be held to."""
    said = {"family"}
    if says_colour(prompt, labels.colour, language):
        said.add("colour")
    if _says_material(prompt, language, labels):
        said.add("material")
    moves = (zh if language == "zh" else en).CAMERA[labels.camera]
    if any(move.rstrip(".").lower() in prompt.lower() for move in moves):
        said.add("camera")
    if labels.count is not None and _says_count(prompt, language, labels.family, labels.count):
        said.add("count")
    open_end = length == "short" and labels.family == "bounce"
    if labels.outcome is not None and not open_end:
        said.add("outcome")
    return said


def says_colour(prompt: str, colour: str, language: str) -> bool:
    """Whether a prompt says the colour; in Chinese by its first character, as "红球" says red without "色"."""
    return (zh.COLOURS[colour][0] if language == "zh" else colour) in prompt.lower()


def _says_material(prompt: str, language: str, labels: Labels) -> bool:
    """Whether the material stands right after the main object's colour, as all captions put it."""
    if language == "zh":
        words = "|".join(word for word in zh.MATERIALS[labels.material] if word)
        return re.search(f"{zh.COLOURS[labels.colour]}的?({words})", prompt) is not None
    words = "|".join(re.escape(word) for word in en.MATERIALS[labels.material] if word)
    return re.search(rf"\b{labels.colour} ({words})\b", prompt.lower()) is not None


def _says_count(prompt: str, language: str, family: str, count: int) -> bool:
    """Whether the number stands before the noun in one clause; a bounce always lists its balls one by one."""
    if family == "bounce":
        return True
    noun = COUNTED[family]
    if language == "zh":
        measure, nouns = zh.NOUNS[noun]
        return (
            re.search(f"{zh.number(count)}{measure}[^,。;:]{{0,14}}({'|'.join(nouns)})", prompt) is not None
        )
    words = en.number(count) if count > 1 else "an?|one"
    plural = "(?:e?s)" if count > 1 else ""
    return (
        re.search(rf"\b(?:{words})\b[\w ,]*?\b(?:{'|'.join(en.NOUNS[noun])}){plural}\b", prompt.lower())
        is not None
    )
