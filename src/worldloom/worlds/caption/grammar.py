"""From the facts of a take to captions: English and Chinese; short, medium and dense; several wordings of each."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from worldloom.core.seed import numpy_generator
from worldloom.worlds.caption import chinese, english
from worldloom.worlds.caption.context import Context, context
from worldloom.worlds.caption.phrasebook import Phrasebook
from worldloom.worlds.caption.phrases import BOOKS
from worldloom.worlds.family import Event, Facts
from worldloom.worlds.look import Look, Paint
from worldloom.worlds.scene import Thing

LANGUAGES: dict[str, ModuleType] = {"en": english, "zh": chinese}
LENGTHS = ("short", "medium", "dense")


def caption_truth(truth: dict[str, Any], wordings: int = 1) -> dict[str, dict[str, list[str]]]:
    """The captions of a take from its truth alone, so that a rendered dataset can be captioned again.

    `captions[language][length]` holds up to `wordings` distinct captions, all true of the facts; of a single picture
    they say what is there and nothing of motion, camera or outcome. The wordings depend on family and seed only; 0
    wordings give an empty dictionary.
    """
    if not wordings:
        return {}
    facts = truth["facts"]
    events = tuple(Event(**event) for event in facts["events"])
    things = [
        Thing(entry["name"], entry["noun"], Paint(entry["colour"], entry["material"]), entry["moving"], 0.0)
        for entry in truth["objects"]
    ]
    rng = numpy_generator("caption", truth["family"], truth["seed"])
    told = Facts(tuple(facts["cast"]), events, facts["outcome"], facts["details"])
    c = context(told, things, Look(**truth["look"]), rng, truth)
    books = BOOKS[truth["family"]]
    return {
        language: {length: _distinct(c, books[language], grammar, length, wordings) for length in LENGTHS}
        for language, grammar in LANGUAGES.items()
    }


def _distinct(c: Context, book: Phrasebook, grammar: ModuleType, length: str, wordings: int) -> list[str]:
    found: dict[str, None] = {}
    for _ in range(4 * wordings):
        found[_caption(c, book, grammar, length)] = None
        if len(found) == wordings:
            break
    return list(found)


def _caption(c: Context, book: Phrasebook, grammar: ModuleType, length: str) -> str:
    c.said.clear()
    if c.picture:
        material = {"short": 0.3, "medium": 0.5, "dense": 1.0}[length]
        return grammar.picture(c, length, book.scene(c, material) or grammar.everything(c, material))
    if length == "short":
        return grammar.short(c, book.line(c))
    if length == "medium":
        return grammar.medium(c, book.line(c), book.ending(c))
    return grammar.dense(c, book.opening(c), book.story(c), book.ending(c))
