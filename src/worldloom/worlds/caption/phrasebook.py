"""What a family has to say in one language; the grammar adds setting, camera and length."""

from __future__ import annotations

from abc import ABC, abstractmethod

from worldloom.worlds.caption.context import Context


class Phrasebook(ABC):
    """Clauses without capital letter and full stop; everything said must be true of `c.facts`."""

    @abstractmethod
    def line(self, c: Context) -> str:
        """Who does what, as a user would type it: one clause, present tense, no setting."""

    @abstractmethod
    def opening(self, c: Context) -> str:
        """The cast with its looks, and what it is about to do; a setting follows it."""

    @abstractmethod
    def story(self, c: Context) -> list[str]:
        """The events in order of time, a clause each."""

    @abstractmethod
    def ending(self, c: Context) -> str:
        """How it ends."""

    def scene(self, c: Context, material: float) -> str:
        """What a picture shows, as a noun phrase without motion; empty for the cast one by one.

        `material` is the chance that a thing's material is said.
        """
        return ""
