"""What a family of worlds must say: its parameters, its scene, how it starts, what drives it, and what happened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import mujoco
import numpy as np

from worldloom.worlds.look import Look
from worldloom.worlds.record import Record
from worldloom.worlds.scene import Scene

P = TypeVar("P")


@dataclass(frozen=True)
class Event:
    """One thing that happened: a key of the family's EVENTS, who did it to whom (thing names), when (frame)."""

    key: str
    frame: int
    who: str
    whom: str | None = None


@dataclass(frozen=True)
class Facts:
    """What captions may say, read from the simulation: cast in order of importance, events in order of time, outcome.

    `details` holds the family's own facts (counts, directions, tilt ...) as plain values under fixed names.
    """

    cast: tuple[str, ...]
    events: tuple[Event, ...]
    outcome: str
    details: dict[str, Any] = field(default_factory=dict)


class Family(ABC, Generic[P]):
    """One family of simulated worlds. Stateless: everything of a take is in its parameters and its record."""

    name: ClassVar[str]
    summary: ClassVar[str]
    EVENTS: ClassVar[tuple[str, ...]]
    OUTCOMES: ClassVar[tuple[str, ...]]

    @abstractmethod
    def draw(self, rng: np.random.Generator, seconds: float) -> P:
        """Random parameters (a frozen dataclass of plain values and Paints), timed so that the action fits `seconds`."""

    @abstractmethod
    def build(self, parameters: P, look: Look) -> Scene:
        """The scene; its first thing is the main object."""

    def start(self, parameters: P, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Sets initial velocities; called once after the first mj_forward."""

    def drive(
        self, parameters: P, model: mujoco.MjModel, data: mujoco.MjData, time: float
    ) -> tuple[float, ...] | None:
        """Called before every physics step: may set controls, forces or change the model (an egg that breaks).

        Returns the action in force (constant length) where the family has actions, else None.
        """
        return None

    @abstractmethod
    def facts(self, parameters: P, record: Record) -> Facts:
        """What happened, read from the record, never from what was planned."""
