"""The words training has shown the model, and the words of a prompt that are not among them.

The tokenizer's pieces cannot answer this: with letters and bytes among them they spell everything, and the
general word list is in them whether or not any caption ever used the word.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from worldloom.core.error import Failure
from worldloom.core.file import read_json, write_json
from worldloom.text.lexicon import CHINESE, CHINESE_FUNCTION_WORDS, ENGLISH_FUNCTION_WORDS
from worldloom.text.words import english_stems, normalise_word, segment_han, split_words

FORMAT = 1


@dataclass(frozen=True)
class Vocabulary:
    """Words seen in training captions: `english` in lower case, `chinese` as lexicon words and single characters."""

    english: frozenset[str]
    chinese: frozenset[str]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "Vocabulary":
        english: set[str] = set()
        runs: set[str] = set()
        for text in texts:
            for word, kind in split_words(unicodedata.normalize("NFKC", text)):
                if kind == "word":
                    english.add(normalise_word(word))
                elif kind == "han":
                    runs.add(word)
        # By substring and not by segmentation: a word is seen wherever its characters stand together.
        everything = "\n".join(sorted(runs))
        chinese = {word for word in CHINESE if word in everything} | set(everything) - {"\n"}
        return cls(frozenset(english), frozenset(chinese))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Vocabulary":
        content: Any = read_json(path)
        if not isinstance(content, dict) or set(content) != {"format", "english", "chinese"}:
            raise Failure(f"{path} is not a vocabulary: it must hold format, english and chinese")
        if content["format"] != FORMAT:
            raise Failure(f"{path} has vocabulary format {content['format']}; this version reads {FORMAT}")
        return cls(frozenset(content["english"]), frozenset(content["chinese"]))

    def save(self, path: str | PathLike[str]) -> None:
        write_json(
            Path(path), {"format": FORMAT, "english": sorted(self.english), "chinese": sorted(self.chinese)}
        )

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the words of `prompt` that no caption had, as typed, in order, each once.

        Numbers, punctuation and function words are always known; an English word is known in any inflection of
        a seen form, and a Chinese one if the captions hold it, or hold all its characters where it is in no word list.
        """
        unknown: dict[str, str] = {}
        for text, kind in split_words(prompt):
            if kind == "han":
                for word in self._unknown_chinese(text):
                    unknown.setdefault(word, word)
            elif not self._is_known(text, kind):
                unknown.setdefault(normalise_word(text), text)
        return list(unknown.values())

    def _is_known(self, text: str, kind: str) -> bool:
        if kind == "number":
            return True
        if kind == "symbol":
            # Punctuation and signs carry no picture; a pictograph (an emoji) does.
            return unicodedata.category(text) != "So"
        word = normalise_word(text)
        if len(word) == 1:
            return True  # a letter names nothing
        return word in ENGLISH_FUNCTION_WORDS or not english_stems(word, derived=True).isdisjoint(self._stems)

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(stem for word in self.english for stem in english_stems(word))

    def _unknown_chinese(self, run: str) -> list[str]:
        """Lexicon words never seen, and unseen characters joined with their unseen neighbours."""
        words: list[str] = []
        joined = False
        for word in segment_han(run):
            known = word in self.chinese or word in CHINESE_FUNCTION_WORDS
            if not known and len(word) == 1 and joined:
                words[-1] += word
            elif not known:
                words.append(word)
            joined = not known and len(word) == 1
        return words
