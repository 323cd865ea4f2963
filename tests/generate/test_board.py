"""Storyboards in memory: whose time is whose, in which words it is painted, and what is refused."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.generate.conftest import moving_clip
from worldloom.core.error import UsageError
from worldloom.generate.board import Board, BoardCard, gather, lay_out
from worldloom.generate.conform import Frames
from worldloom.generate.engine import Engine
from worldloom.generate.request import Style
from worldloom.generate.size import Size
from worldloom.generate.stream import Stream
from worldloom.generate.timeline import New

PICTURE = moving_clip(5).frames[4]
CLIP = moving_clip(16, step=2)


def stretches(board: Board, frames: int = 48) -> list[tuple[str | None, int]]:
    """What the board comes to at 16 frames per second: (words, new frames) or ("given", frames), none of them empty."""
    pieces = lay_out(board, gather(board, Fraction(16)), Size(32, 32), Fraction(16), frames)
    said = [(p.prompt, p.count) if isinstance(p, New) else ("given", len(p)) for p in pieces]
    return [piece for piece in said if piece[1]]


def test_words_hold_until_other_words() -> None:
    cards = [
        BoardCard(0.5, picture=PICTURE),
        BoardCard(1, text="first"),
        BoardCard(1.5, clip=CLIP, start=0.25, stop=0.75),
        BoardCard(2.5, picture=PICTURE, text="second"),
    ]
    assert stretches(Board(cards, seconds=3)) == [
        ("first", 8),  # before the first words: in them
        ("given", 1),
        ("first", 7),
        ("first", 8),
        ("given", 8),
        ("first", 8),
        ("given", 1),
        ("second", 7),
    ]


def test_a_board_need_not_say_a_word() -> None:
    assert stretches(Board([BoardCard(1, picture=PICTURE)], seconds=3)) == [
        (None, 16),
        ("given", 1),
        (None, 31),
    ]


def test_given_frames_come_out_as_they_went_in(stream: Stream) -> None:
    cards = [
        BoardCard(0, text="a red ball"),
        BoardCard(1, picture=PICTURE),
        BoardCard(1.5, clip=CLIP, start=0.5),
    ]
    clip = stream.storyboard(Board(cards, seconds=2.5), seed=1, steps=1, guidance=1.0).clip()
    assert len(clip.frames) == 40 and clip.fps == 16 and clip.size == (32, 32)
    assert np.array_equal(clip.frames[16], PICTURE)
    assert np.array_equal(clip.frames[24:32], CLIP.frames[8:])
    assert clip.settings["prompt"] == "a red ball"
    assert clip.settings["cards"][2] == {"at": 1.5, "clip": "in memory", "from": 0.5}


def test_every_stretch_is_painted_in_its_words_and_sees_what_was_before(
    stream: Stream, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def listen(style: Style) -> Any:
        read.append(style.words)
        return Engine.read(engine, style)

    monkeypatch.setattr(engine, "read", listen)

    def painted(first: str) -> Frames:
        cards = [BoardCard(0, text=first), BoardCard(1, text="a blue box"), BoardCard(2, text="一个红球")]
        board = Board(cards, seconds=2.5)
        return stream.storyboard(board, seed=1, steps=1, guidance=1.0, style="night").clip().frames

    red = painted("a red ball")
    assert read == [
        "a red ball, at night, in moonlight",
        "a blue box, at night, in moonlight",
        "一个红球，夜里，月光下",
    ]
    other = painted("a green cube slides")
    assert not np.array_equal(red[:16], other[:16])
    assert not np.array_equal(red[16:32], other[16:32])  # the same words after other footage


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ([], "has no cards"),
        ([BoardCard(0)], "the card is empty"),
        ([BoardCard(0, text=" ")], "the text is empty"),
        ([BoardCard(0, picture=PICTURE, clip=CLIP)], "a card of its own"),
        ([BoardCard(-1, text="x")], "begins at -1 s"),
        ([BoardCard(float("nan"), text="x")], "begins at nan s"),
        ([BoardCard(1, text="x"), BoardCard(0, text="y")], "card 2 of the board: .* in order of time"),
        ([BoardCard(0, text="x"), BoardCard(0.01, text="y")], "card 1 of the board: the words last no time"),
        (
            [BoardCard(0, clip=CLIP), BoardCard(0.5, text="x")],
            "card 2 .* within the card of card 1 .* until 1 s",
        ),
        ([BoardCard(0, picture=PICTURE), BoardCard(0, clip=CLIP)], "may not overlap"),
        ([BoardCard(3, text="x")], "begins at 3 s, and the board ends at 3 s"),
        ([BoardCard(2.5, clip=CLIP)], "the clip lasts until 3.5 s"),
        ([BoardCard(0, clip=CLIP, start=0.5, stop=0.5)], "0.5 to 0.5 s holds no frame"),
        ([BoardCard(0, clip=CLIP, start=0.5, stop=2)], "no stretch of the clip, which lasts from 0 to 1 s"),
        (
            [BoardCard(0, clip=CLIP), BoardCard(1, clip=moving_clip(4, fps=8))],
            "clips on a board must be alike",
        ),
    ],
)
def test_boards_that_cannot_be(cards: list[BoardCard], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        stretches(Board(cards, seconds=3))


def test_clips_decide_size_and_rate(stream: Stream) -> None:
    card = BoardCard(0, clip=moving_clip(4, width=70, height=50, fps=8))
    footage = stream.storyboard(Board([card], seconds=1), seed=1)
    assert footage.size == (70, 50) and footage.fps == 8 and footage.num_frames == 8
    with pytest.raises(UsageError, match="size is 32x32 and the clips' is 70x50"):
        stream.storyboard(Board([card], seconds=1, size="32x32"))
    with pytest.raises(UsageError, match="nothing is left to paint"):
        stream.storyboard(Board([card], seconds=0.5))
