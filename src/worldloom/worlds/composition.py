"""Compositions that training sets leave out, so that one can ask for something never seen together.

Of every family one colour of the main object is kept out. Each colour is seen in most other families and each family
in eleven other colours: only the two together are new.
"""

from __future__ import annotations

from collections.abc import Mapping

from worldloom.core.seed import numpy_generator
from worldloom.worlds.families import family as find_family
from worldloom.worlds.look import Paint, draw_look

UNSEEN: Mapping[str, str] = {
    "basketball": "green",
    "billiards": "cyan",
    "bounce": "purple",
    "dominoes": "orange",
    "drive": "pink",
    "fragile": "brown",
    "occluder": "blue",
    "pendulum": "red",
    "pillow": "yellow",
    "pour": "pink",
    "pusher": "orange",
    "ramp": "cyan",
    "stack": "green",
}
"""By family: the colour of the main object that no training take has."""


def is_unseen(family: str, colour: str) -> bool:
    """Whether training sets leave out this family with a main object of this colour."""
    return UNSEEN.get(family) == colour


def main_paint(family: str, seed: int, seconds: float) -> Paint:
    """Return the paint of a take's main object without simulating it; `seconds` is the take's duration."""
    world = find_family(family)
    parameters = world.draw(numpy_generator("world", family, seed), seconds)
    return world.build(parameters, draw_look(numpy_generator("look", family, seed))).things[0].paint
