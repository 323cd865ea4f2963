"""Words of a prompt in English and Chinese: where they begin and end, and which forms belong together."""

import re
import unicodedata
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import NamedTuple

from worldloom.text.lexicon import CHINESE, CHINESE_FUNCTION_WORDS

HAN = r"\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, as the inside of a regular-expression class (in code points, as `re` has no \\p{Han})."""

_HAN_RUN = re.compile(f"[{HAN}]+")
# A number with what is written on to it (16fps, 2.5x, 3rd), a Chinese run, any other word, or one symbol.
_WORD = re.compile(
    rf"(?P<number>\d[\w.:%°]*)|(?P<han>[{HAN}]+)|(?P<word>[^\W\d_{HAN}]+(?:['’][^\W\d_{HAN}]+)*)|(?P<symbol>\S)"
)
_LONGEST_CHINESE = max(map(len, CHINESE | CHINESE_FUNCTION_WORDS))

_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "leaves": "leaf", "knives": "knife", "shelves": "shelf", "dice": "die",
    "fell": "fall", "fallen": "fall", "rose": "rise", "risen": "rise", "broke": "break", "broken": "break",
    "struck": "strike", "stricken": "strike", "threw": "throw", "thrown": "throw", "flew": "fly", "flown": "fly",
    "went": "go", "gone": "go", "came": "come", "left": "leave", "swung": "swing", "spun": "spin",
    "slid": "slide", "sank": "sink", "sunk": "sink", "drove": "drive", "driven": "drive", "stood": "stand",
    "held": "hold", "caught": "catch", "shot": "shoot", "bent": "bend", "hung": "hang", "laid": "lay",
    "lay": "lie", "lying": "lie", "ran": "run", "shook": "shake", "shaken": "shake", "began": "begin",
    "begun": "begin", "hid": "hide", "hidden": "hide", "lit": "light", "colour": "color", "colours": "color",
    "coloured": "color", "colored": "color", "colorful": "color", "colourful": "color", "gray": "grey",
    "center": "centre", "better": "good", "best": "good",
}  # fmt: skip
_MIN_STEM = 3


class Word(NamedTuple):
    text: str
    """As typed."""
    kind: str
    """`number`, `han` (a run of Chinese), `word` (letters of any other script) or `symbol` (one character)."""


def split_words(text: str) -> Iterator[Word]:
    """Yield the words, numbers and symbols of `text` in order; a Chinese run comes whole."""
    for match in _WORD.finditer(text):
        yield Word(match.group(), str(match.lastgroup))


def normalise_word(word: str) -> str:
    """Return the form words are compared in: NFKC and lower case, as the tokenizer's."""
    return unicodedata.normalize("NFKC", word).lower().replace("’", "'")


def segment_han(run: str, extra: Container[str] = frozenset()) -> list[str]:
    """Cut a run of Chinese into words of the lexicon or of `extra`, the longest first; other characters stay single."""
    words, start = [], 0
    while start < len(run):
        for end in range(min(len(run), start + _LONGEST_CHINESE), start, -1):
            piece = run[start:end]
            if end == start + 1 or piece in CHINESE or piece in CHINESE_FUNCTION_WORDS or piece in extra:
                words.append(piece)
                start = end
                break
    return words


def space_han(text: str) -> str:
    """Return `text` with Chinese runs cut into words by spaces."""
    return _HAN_RUN.sub(lambda match: " " + " ".join(segment_han(match.group())) + " ", text)


@lru_cache(maxsize=65536)
def english_stems(word: str, derived: bool = False) -> frozenset[str]:
    """Return what an English word may be an inflection of, itself included: `rolling` gives `roll` and `rolle`.

    Generous on purpose: two forms belong together if they share one stem, so a stem that is no word does no
    harm. Stems are at least three letters, so that `red` and `ring` stay themselves. With `derived` also what
    it may be made from (`wooden`, `roller`, `sandy`); that is for a prompt's words only, as a `corner` seen
    is no `corn`.
    """
    stems = {word, word.removesuffix("'s"), word.removesuffix("s'")}
    for form in tuple(stems):
        for ending, others in _INFLECTIONS + _DERIVATIONS if derived else _INFLECTIONS:
            if form.endswith(ending):
                base = form[: -len(ending)]
                stems.update(base + other for other in others)
                if len(base) > 2 and base[-1] == base[-2] and "" in others:
                    stems.add(base[:-1])  # spinning, dropped
    stems.update(_IRREGULAR[stem] for stem in tuple(stems) if stem in _IRREGULAR)
    return frozenset(stem for stem in stems if len(stem) >= _MIN_STEM or stem == word)


_INFLECTIONS = (
    ("s", ("",)), ("es", ("",)), ("ies", ("y",)), ("ves", ("f", "fe")),
    ("ed", ("", "e")), ("ied", ("y",)), ("ing", ("", "e")), ("ly", ("",)), ("ily", ("y",)),
)  # fmt: skip
_DERIVATIONS = (
    ("er", ("", "e")), ("ier", ("y",)), ("est", ("", "e")), ("iest", ("y",)),
    ("en", ("", "e")), ("y", ("", "e")),
)  # fmt: skip
