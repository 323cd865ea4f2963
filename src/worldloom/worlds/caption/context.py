"""What a sentence may draw on: the take's facts, its cast, its look and a random generator."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldloom.worlds.family import Event, Facts
from worldloom.worlds.look import Look
from worldloom.worlds.scene import Thing


@dataclass
class Context:
    """One caption in the making. `pick` is the only source of variety, so a caption is a pure function of its seed."""

    facts: Facts
    things: dict[str, Thing]
    look: Look
    rng: np.random.Generator
    picture: bool = False  # one frame: nothing may be said of motion, camera moves or outcome
    said: dict[str, str] = field(default_factory=dict)  # by thing, the noun that this caption has for it

    def pick(self, *choices: str) -> str:
        """One of the choices, all equally likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    @property
    def cast(self) -> list[Thing]:
        return [self.things[name] for name in self.facts.cast]

    @property
    def main(self) -> Thing:
        return self.cast[0]

    @property
    def details(self) -> dict:
        return self.facts.details

    def alike(self) -> list[list[Thing]]:
        """The cast grouped by noun, in order of importance."""
        groups: dict[str, list[Thing]] = {}
        for thing in self.cast:
            groups.setdefault(thing.noun, []).append(thing)
        return list(groups.values())

    def events(self, key: str, who: str | None = None) -> list[Event]:
        """Events of that key (and actor), in order of time."""
        return [event for event in self.facts.events if event.key == key and who in (None, event.who)]

    def has(self, key: str, who: str | None = None) -> bool:
        return bool(self.events(key, who))


def context(
    facts: Facts, things: list[Thing], look: Look, rng: np.random.Generator, picture: bool = False
) -> Context:
    return Context(facts, {thing.name: thing for thing in things}, look, rng, picture)
