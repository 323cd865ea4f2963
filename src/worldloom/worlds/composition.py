"""Compositions that training sets leave out, so that one can ask for something never seen together.

Of every family one colour of the main object is kept out. Each colour is seen in most other families and each family
in eleven other colours: only the two together are new.
"""

from __future__ import annotations

from collections.abc import Mapping

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
