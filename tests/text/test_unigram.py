import math

import pytest
import tokenizers

from worldloom.text.unigram import merges, train_unigram


def cut(pieces: list[tuple[str, float]], word: str) -> list[str]:
    """The pieces that the real model cuts `word` into."""
    vocab = [("<unk>", 0.0), *pieces]
    return tokenizers.Tokenizer(tokenizers.models.Unigram(vocab, unk_id=0)).encode(word).tokens


def test_whole_words_where_there_is_room() -> None:
    words = {"▁rolling": 40, "▁rolls": 40, "▁falling": 40, "▁falls": 40, "▁ball": 200}
    pieces = train_unigram(words, vocab_size=60)
    assert all(cut(pieces, word) == [word] for word in words)
    assert math.fsum(math.exp(score) for _, score in pieces) == pytest.approx(1, abs=1e-3)
    assert pieces == sorted(pieces, key=lambda entry: -entry[1])


def test_an_unseen_form_is_its_stem_and_ending() -> None:
    words = {"▁rolling": 40, "▁rolls": 40, "▁fall": 40, "▁falling": 40, "▁spins": 40, "▁spinning": 9}
    assert cut(train_unigram(words, vocab_size=60, required={"ed"}), "▁rolled") == ["▁roll", "ed"]


def test_shared_parts_where_there_is_not() -> None:
    words = {f"▁word{chr(97 + i)}{chr(97 + j)}": 3 for i in range(8) for j in range(8)}
    pieces = train_unigram(words, vocab_size=20, required={"ing"})
    assert len(pieces) == 20
    assert {"▁", "w", "o", "r", "d", "ing", *"abcdefgh"} <= dict(pieces).keys()
    assert all(cut(pieces, word)[0].startswith("▁word") for word in words)


def test_order_of_the_words_does_not_matter() -> None:
    words = {f"▁{a}{b}": i + 1 for i, (a, b) in enumerate(zip("abcdeabcde", "xyzxyzxyzx", strict=True))}
    assert train_unigram(words, 30) == train_unigram(dict(reversed(words.items())), 30)


def test_merges_follow_the_counts() -> None:
    assert merges({"abc": 3, "ab": 2, "xy": 4, "zz": 1}, max_length=16) == ["ab", "xy", "abc"]
    assert merges({"aaaa": 2}, max_length=2) == ["aa"]


def test_refuses_a_size_the_letters_do_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit into 2"):
        train_unigram({"abc": 1}, vocab_size=2)
