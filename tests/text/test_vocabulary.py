from pathlib import Path

import pytest

from tests.text.conftest import captions
from worldloom.core.error import Failure
from worldloom.core.file import write_json
from worldloom.text.tokenizer import Tokenizer
from worldloom.text.vocabulary import Vocabulary


@pytest.mark.parametrize("caption", captions()[::7])
def test_every_caption_is_known(caption: str, tokenizer: Tokenizer) -> None:
    assert tokenizer.unknown_words(caption) == []


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a Zeppelin falls over Paris", ["Zeppelin", "over", "Paris"]),
        ("TWO DRAGONS, two dragons", ["DRAGONS"]),
        ("balls rolled, rolling; boxes fell and a box falling; it slides, sliding", []),
        ("the ball's ramp, the cars' slow push", []),
        ("12 balls at 16fps, 3rd try: 2.5x!", ["try"]),
        ("a red-white well-known ball", ["well", "known"]),
        ("dragon's ball", ["dragon's"]),
        ("请生成一段视频：一个红色的球滚下来", []),
        ("一只恐龙在跳舞", ["恐龙", "跳舞"]),
        ("红球和白色箱子", []),
        ("饕餮推近", ["饕餮"]),
        ("大象ball和Zeppelin", ["大象", "Zeppelin"]),
        ("红色 дракон 🐉…", ["дракон", "🐉"]),
        ("３ ｂａｌｌｓ。", []),
        ("", []),
    ],
)
def test_unknown_words(prompt: str, unknown: list[str], tokenizer: Tokenizer) -> None:
    assert tokenizer.unknown_words(prompt) == unknown


def test_the_general_word_list_is_not_training() -> None:
    vocabulary = Vocabulary.from_texts(["a red ball", "一个红色的球"])
    assert vocabulary.unknown_words("a red elephant") == ["elephant"]
    assert vocabulary.unknown_words("红色的大象") == ["大象"]


def test_a_seen_corner_is_no_corn() -> None:
    assert Vocabulary.from_texts(["the corner"]).unknown_words("corn") == ["corn"]


def test_saves_and_loads(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_texts(captions())
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


@pytest.mark.parametrize(
    ("content", "message"),
    [({"english": []}, "is not a vocabulary"), ({"format": 9, "english": [], "chinese": []}, "format 9")],
)
def test_refuses_other_files(tmp_path: Path, content: dict, message: str) -> None:
    write_json(tmp_path / "vocabulary.json", content)
    with pytest.raises(Failure, match=message):
        Vocabulary.load(tmp_path / "vocabulary.json")
