"""Storyboards as files: what the schema allows, and the line of what it does not."""

from pathlib import Path

import pytest
import yaml

from tests.generate.conftest import moving_clip
from worldloom.core.error import UsageError
from worldloom.generate.board import BoardCard
from worldloom.generate.board_file import read_board

DOCS = Path(__file__).parents[2] / "docs" / "storyboard.md"
HEAD = "seconds: 3\ncards:\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "board.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """# a comment
seconds: 3.5
size: 160x96
fps: 12
cards:
  - at: 0
    text: "一个红球: bounces"
  - {at: 1, picture: sub/box.png}
  - at: 2
    clip: ball.mp4
    from: 0.5
    to: 1.5
    text: a blue ball
""",
    )
    board = read_board(path)
    assert (board.seconds, board.size, board.fps) == (3.5, "160x96", 12)
    assert board.cards == [
        BoardCard(0, text="一个红球: bounces", place=f"{path}, line 6"),
        BoardCard(1, picture=tmp_path / "sub/box.png", place=f"{path}, line 8"),
        BoardCard(2, "a blue ball", None, tmp_path / "ball.mp4", 0.5, 1.5, place=f"{path}, line 9"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("- at: 0", "line 1: here must be a mapping with seconds, size, fps, cards"),
        ("seconds: 3\n", "line 1: 'cards' is missing"),
        (HEAD + "  - text: x\n", "line 3: 'at' is missing"),
        (HEAD + "  - at: 0\n    txt: x\n", "line 4: unknown key 'txt'; allowed are at, text, picture"),
        ("second: 3\n" + HEAD, "line 1: unknown key 'second'"),
        (HEAD + "  - at: 0\n    at: 1\n", "line 4: 'at' is given twice"),
        (HEAD + "  - at: now\n", "line 3: 'at' must be a number, not 'now'"),
        (HEAD + "  - at: -1\n", "line 3: 'at' must be a number"),
        (HEAD + "  - at: .inf\n", "line 3: 'at' must be a number"),
        (HEAD + "  - at: 1:30\n", "line 3: 'at' must be a number"),
        (HEAD + "  - at: [0]\n", "line 3: 'at' must be a number, not a list or mapping"),
        (HEAD + "  - at: 0\n    text: yes\n", "line 4: 'text' must be text; put it in quotes"),
        (HEAD + "  - at: 0\n    text: 2024-13-45\n", "line 4: 'text' must be text"),
        (HEAD + "  - at: 0\n    text: !!python/name:os.system x\n", "line 4: 'text' must be text"),
        (HEAD + "  - a ball\n", "line 3: here must be a mapping with at"),
        ("seconds: 3\ncards: 5\n", "line 2: 'cards' must be a list"),
        (HEAD + "  - at: 0\n    text: x\n    from: 1\n", "line 3: 'from' cuts a clip, and the card has none"),
        (HEAD + "  - at: 0\n   text: x\n", "line 4: not YAML"),
        (HEAD + '  - at: 0\n    text: "x\n', "not YAML"),
        ("? [a, b]\n: 1\n", "line 1: unknown key 'of several values'"),
        ("[" * 20_000, "is not a YAML text|not YAML"),
        ("seconds: 3\ncards: []\n", "has no cards"),
        (HEAD + "  - at: 0\n", "line 3: the card is empty"),
        (HEAD + "  - at: 1\n    text: x\n  - at: 0\n    text: y\n", "line 5: .* in order of time"),
        (HEAD + "  - at: 0\n    text: x\n" * 1001, "1001 cards; at most 1000"),
        ("#" * (1 << 20) + "\n", "a board has at most 1048576"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_board(write(tmp_path, text))


def test_files_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_board(tmp_path / "none.yaml")
    moving_clip(2).save(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match="not a YAML text"):
        read_board(tmp_path / "clip.mp4")


def test_the_board_in_the_docs_is_one(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    board = read_board(write(tmp_path, text))
    assert len(board.cards) == len(yaml.safe_load(text)["cards"]) >= 4
    assert {name for card in board.cards for name in card.record()} >= {"at", "text", "picture", "clip"}
