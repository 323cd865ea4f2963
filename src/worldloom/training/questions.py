"""What is asked of a caption: questions that a take's truth answers, with all answers there are.

Of every take: the family, floor, light, camera move, outcome, the side to which things go, the number of things and
how many there are of the kind there are most of; of its first things, in the
order of the scene: what it is, its colour and its material; and of every kind of thing that is there once: its colour,
whatever the order, so that colours are bound to the words they belong to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.progress import progress
from worldloom.data.dataset import ClipDataset
from worldloom.data.manifest import Manifest

# Things asked about one by one: captions name at most four.
ASKED_THINGS = 4
NOTHING = "nothing"
COLOUR_OF = "colour of the "


@dataclass(frozen=True)
class Questions:
    """`names` of the questions, the `answers` to each, and the right ones of each sample, `table` [samples, names]."""

    names: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    table: np.ndarray

    @property
    def binding(self) -> np.ndarray:
        """Which entries of `table` ask for the colour of a thing that is there once, bool [samples, names]."""
        nothing = [given.index(NOTHING) if NOTHING in given else -1 for given in self.answers]
        return np.array([name.startswith(COLOUR_OF) for name in self.names]) & (self.table != nothing)

    @property
    def general(self) -> np.ndarray:
        """Which questions are asked of every take, bool [names]."""
        return np.array([not name.startswith(COLOUR_OF) for name in self.names])

    def named(self, names: Sequence[str]) -> np.ndarray:
        """Which questions have one of these names, bool [names]; raises UsageError for a name that none has."""
        for name in names:
            if name not in self.names:
                raise UsageError(f"no question {name!r}; there are {', '.join(self.names)}")
        return np.isin(self.names, names)

    @staticmethod
    def gather(manifest: Manifest, quiet: bool) -> "Questions":
        """Read the truth of every sample."""
        dataset = ClipDataset(manifest)
        truths: list[dict[str, Any]] = []
        with progress(len(dataset), "reading truths", quiet, unit="take") as bar:
            for index in range(len(dataset)):
                truths.append(dataset.meta(index)["truth"])
                bar.advance()
        dataset.close()
        nouns = sorted({thing["noun"] for truth in truths for thing in truth["objects"]})
        rows = [answers_of(truth, nouns) for truth in truths]
        names = tuple(rows[0])
        answers = tuple(tuple(sorted({row[name] for row in rows})) for name in names)
        numbers = [{answer: n for n, answer in enumerate(given)} for given in answers]
        table = [[number[row[name]] for name, number in zip(names, numbers, strict=True)] for row in rows]
        return Questions(names, answers, np.asarray(table, np.int64))


def answers_of(truth: dict[str, Any], nouns: Sequence[str]) -> dict[str, str]:
    """The answer to every question, from a take's truth; `nouns` are the kinds of things that are asked about."""
    look, things = truth["look"], truth["objects"]
    answers = {
        "family": truth["family"],
        "floor": look["floor"],
        "mood": look["mood"],
        "camera": look["camera_move"],
        "outcome": f"{truth['family']}: {truth['facts']['outcome']}",
        "direction": truth["facts"].get("details", {}).get("direction") or NOTHING,
        "things": str(len(things)),
        "of a kind": str(max(Counter(thing["noun"] for thing in things).values())),
    }
    for place in range(ASKED_THINGS):
        thing = things[place] if place < len(things) else {}
        for trait in ("noun", "colour", "material"):
            answers[f"{trait} {place + 1}"] = thing.get(trait, NOTHING)
    for noun in nouns:
        colours = [thing["colour"] for thing in things if thing["noun"] == noun]
        answers[COLOUR_OF + noun] = colours[0] if len(colours) == 1 else NOTHING
    return answers
