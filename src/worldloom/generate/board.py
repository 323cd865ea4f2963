"""A storyboard: cards on a time axis, and the stretches of footage they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.generate.clip import Clip
from worldloom.generate.conform import Frames, cover
from worldloom.generate.size import Size
from worldloom.generate.source import Picture, Source, read_clip, read_picture
from worldloom.generate.timeline import New, Piece


@dataclass(frozen=True)
class BoardCard:
    """What begins `at` so many seconds: words, a picture, or a clip.

    at: seconds from the beginning of the board.
    text: what new footage shows from here on, until the next card with words.
    picture: one frame, scaled to cover the board's size.
    clip: footage that stays as it is, from `start` to `stop` seconds of its own time (None: to its end).
    place: where the card is written, for messages.
    """

    at: float
    text: str | None = None
    picture: Picture | None = None
    clip: Source | None = None
    start: float = 0.0
    stop: float | None = None
    place: str = ""

    def record(self) -> dict[str, Any]:
        """Return what a file records of the card."""
        values: dict[str, Any] = {"text": self.text, "picture": _name(self.picture), "clip": _name(self.clip)}
        if self.clip is not None:
            values |= {"from": self.start, "to": self.stop}
        return {"at": self.at, **{key: value for key, value in values.items() if value is not None}}


@dataclass(frozen=True)
class Board:
    """Cards in order of time, and how long the whole lasts.

    `size` and `fps` None mean those of the clips on it; without clips the trained size nearest to the first picture,
    and the model's own rate.
    """

    cards: Sequence[BoardCard]
    seconds: float
    size: str | tuple[int, int] | None = None
    fps: float | None = None
    place: str = "the board"

    def __post_init__(self) -> None:
        if not self.cards:
            raise UsageError(f"{self.place} has no cards; give at least one")
        for number, card in enumerate(self.cards):
            _check_card(card, _place(self, number))
            if number and card.at < self.cards[number - 1].at:
                raise UsageError(
                    f"{_place(self, number)}: the card begins at {card.at:g} s, before the one above it at "
                    f"{self.cards[number - 1].at:g} s; cards stand in order of time"
                )

    @property
    def prompt(self) -> str:
        """All its words, in order."""
        return " ".join(card.text for card in self.cards if card.text)


@dataclass(frozen=True)
class Material:
    """The footage of a board's cards: a clip, a picture [1, H, W, 3] as it was given, or None, in their order."""

    footage: tuple[Clip | Frames | None, ...]

    @property
    def clips(self) -> list[tuple[int, Clip]]:
        """The clips, each with the number of its card."""
        return [(number, item) for number, item in enumerate(self.footage) if isinstance(item, Clip)]

    @property
    def first_picture(self) -> Frames | None:
        return next((item for item in self.footage if isinstance(item, np.ndarray)), None)


def gather(board: Board, picture_fps: Fraction) -> Material:
    """Read the pictures and clips of a board, clips cut to what their cards say.

    Raises UsageError that names the card for a file that cannot be read, a cut that holds no frame, and clips of
    different sizes or rates.
    """
    items: list[Clip | Frames | None] = []
    for number, card in enumerate(board.cards):
        try:
            items.append(_footage(card, picture_fps))
        except UsageError as error:
            raise UsageError(f"{_place(board, number)}: {error}") from error
    material = Material(tuple(items))
    for number, clip in material.clips[1:]:
        first = material.clips[0][1]
        if (clip.size, clip.fps) != (first.size, first.fps):
            raise UsageError(
                f"{_place(board, number)}: the clip is {clip.size} at {float(clip.fps):g} frames per second and the "
                f"first one {first.size} at {float(first.fps):g}; clips on a board must be alike"
            )
    return material


def lay_out(board: Board, material: Material, size: Size, fps: Fraction, num_frames: int) -> list[Piece]:
    """Return the pieces of a board's timeline.

    A card with footage takes the time of its frames, a card with words alone the time up to the next card. Time that
    no card takes is painted, in the words of the latest card that has some (before the first such card, in its
    words). Raises UsageError that names the cards for one that overlaps another, lasts no frame or passes the end.
    """
    pieces: list[Piece] = []
    position, above = 0, ""
    words = next((card.text for card in board.cards if card.text), None)
    starts = [int(Fraction(card.at).limit_denominator(10**6) * fps + Fraction(1, 2)) for card in board.cards]
    for number, (card, item) in enumerate(zip(board.cards, material.footage, strict=True)):
        begin, place = starts[number], _place(board, number)
        if begin < position:
            raise UsageError(
                f"{place}: the card begins at {card.at:g} s, within {above}, which lasts until "
                f"{float(position / fps):g} s; cards may not overlap"
            )
        if begin >= num_frames:
            raise UsageError(
                f"{place}: the card begins at {card.at:g} s, and the board ends at {board.seconds:g} s"
            )
        pieces.append(New(begin - position, words))
        words, position, above = card.text or words, begin, f"the card of {place}"
        if item is None:
            if number + 1 < len(starts) and starts[number + 1] <= begin:
                raise UsageError(
                    f"{place}: the words last no time, as the next card begins at the same moment; give a card with a "
                    "picture or clip its words in the same card"
                )
            continue
        frames = item.frames if isinstance(item, Clip) else cover(item, size)
        position = begin + len(frames)
        if position > num_frames:
            raise UsageError(
                f"{place}: the clip lasts until {float(position / fps):g} s, and the board ends at "
                f"{board.seconds:g} s"
            )
        pieces.append(frames)
    return [*pieces, New(num_frames - position, words)]


def _check_card(card: BoardCard, place: str) -> None:
    if not 0 <= card.at < float("inf"):
        raise UsageError(f"{place}: a card begins at {card.at:g} s; it must be 0 or more")
    if card.text is None and card.picture is None and card.clip is None:
        raise UsageError(f"{place}: the card is empty; give it a text, a picture or a clip")
    if card.text is not None and not card.text.strip():
        raise UsageError(f"{place}: the text is empty; describe what should be seen, or leave it out")
    if card.picture is not None and card.clip is not None:
        raise UsageError(f"{place}: the card has a picture and a clip; give each a card of its own")


def _footage(card: BoardCard, picture_fps: Fraction) -> Clip | Frames | None:
    if card.picture is not None:
        return read_picture(card.picture)
    if card.clip is None:
        return None
    clip = read_clip(card.clip, picture_fps)
    start, stop = cut_frames(card.start, card.stop, clip)
    return Clip(clip.frames[start:stop], clip.fps, clip.settings)


def cut_frames(start: float, stop: float | None, clip: Clip) -> tuple[int, int]:
    """Return the frames [first, end) of `start` to `stop` seconds of a clip; None means its end.

    Raises UsageError for a stretch that is empty, turned round or not within the clip.
    """
    end = clip.seconds if stop is None else stop
    if not 0 <= start <= end <= clip.seconds + 0.5 / clip.fps:
        raise UsageError(
            f"{start:g} to {end:g} s is no stretch of the clip, which lasts from 0 to {clip.seconds:g} s"
        )
    first, last = (round(Fraction(value).limit_denominator(10**6) * clip.fps) for value in (start, end))
    if (last := min(last, len(clip.frames))) <= first:
        raise UsageError(
            f"{start:g} to {end:g} s holds no frame of the clip, which has {float(clip.fps):g} per second"
        )
    return first, last


def _place(board: Board, number: int) -> str:
    return board.cards[number].place or f"card {number + 1} of {board.place}"


def _name(source: Picture | Source | None) -> str | None:
    if source is None:
        return None
    return "in memory" if isinstance(source, np.ndarray | Clip) else str(source)
