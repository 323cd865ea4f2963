"""What a sentence may draw on: the take's facts, its cast, its look and a random generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worldloom.worlds.family import Event, Facts
from worldloom.worlds.look import Look
from worldloom.worlds.scene import Thing
from worldloom.worlds.sight import in_picture, shows_sky


@dataclass
class Context:
    """One caption in the making. `pick` is the only source of variety, so a caption is a pure function of its seed."""

    facts: Facts
    things: dict[str, Thing]
    look: Look
    rng: np.random.Generator
    picture: bool = False  # one frame: nothing may be said of motion, camera moves or outcome
    said: dict[str, str] = field(default_factory=dict)  # by thing, the noun that this caption has for it
    sky: bool = True  # the picture reaches above the horizon: a sky or a backdrop may be named
    gone: frozenset[str] = frozenset()  # things that are out of the picture when the take ends
    unseen: frozenset[Event] = frozenset()  # events whose doer was out of the picture

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

    def seen(self, key: str, who: str | None = None) -> bool:
        """Whether such an event happened inside the picture."""
        return any(event not in self.unseen for event in self.events(key, who))


def context(
    facts: Facts, things: list[Thing], look: Look, rng: np.random.Generator, truth: dict[str, Any]
) -> Context:
    """The context of a take's captions; what its camera had in the picture is read from `truth`."""
    views = truth["camera"]
    paths = {entry["name"]: entry["position"] for entry in truth["objects"]}
    return Context(
        facts,
        {thing.name: thing for thing in things},
        look,
        rng,
        picture=truth["num_frames"] == 1,
        sky=any(shows_sky(view) for view in views),
        gone=frozenset(name for name, path in paths.items() if not in_picture(views[-1], path[-1])),
        unseen=frozenset(
            event
            for event in facts.events
            if event.who in paths and not in_picture(views[event.frame], paths[event.who][event.frame])
        ),
    )
