"""The prompt tokenizer: a Unigram model over English and Chinese in the file format of `tokenizers`.

Ids follow T5: `<pad>` 0, `</s>` 1 and at the end of every prompt, `<unk>` 2. Bytes (3 to 258) spell what no
piece spells, so no prompt holds `<unk>`. Decisions:

- **NFKC and lower case.** Captions carry nothing by letter case, so "A Red Ball" is "a red ball"; full-width
  forms of Chinese typing ("，", "３") become their plain twins.
- **Pieces cross no punctuation, digit or script border.** A word of an alphabet begins with the mark wherever
  it stands ("push-in" has the piece of "push"), and Chinese never does, so that one word is one piece.
- **Chinese pieces are characters and lexicon words** (see `lexicon.py`), never phrases of the grammar.

The folder is read by transformers' `AutoTokenizer` to the same ids. It names the class `PreTrainedTokenizerFast`
and not `T5Tokenizer`, as the latter rebuilds its backend from the vocabulary alone and drops normaliser and
byte fallback. Folders of Wan's own UMT5 tokenizer (`tokenizer.json`) load as well; they know no `vocabulary.json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import whole_file, write_json
from worldloom.text.lexicon import CHINESE, CHINESE_FUNCTION_WORDS, ENGLISH, ENGLISH_FUNCTION_WORDS, SUFFIXES
from worldloom.text.prompt import clean_prompt
from worldloom.text.unigram import train_unigram
from worldloom.text.vocabulary import Vocabulary
from worldloom.text.words import space_han

if TYPE_CHECKING:  # torch comes with `pad`, not with the import
    import torch

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
BYTES = tuple(f"<0x{value:02X}>" for value in range(256))
WORD_BEGIN = "▁"
MAX_LENGTH = 512
"""Tokens a prompt may have, `</s>` included: the text length of Wan's transformers."""
FILE, CONFIG_FILE, VOCABULARY_FILE = "tokenizer.json", "tokenizer_config.json", "vocabulary.json"
_LEXICON_COUNT = 2  # as often as training must see a piece to keep it


class Tokenizer:
    """Prompts to ids and back, and the words of a prompt that training never showed."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        vocabulary: Vocabulary | None = None,
        max_length: int = MAX_LENGTH,
    ):
        pad_id, end_id = backend.token_to_id(PAD), backend.token_to_id(END)
        if pad_id is None or end_id is None:
            raise Failure(f"the tokenizer lacks {PAD} or {END}, which every T5 tokenizer has")
        self._backend = backend
        self._backend.no_padding()
        self._backend.no_truncation()
        # "</s>" typed by a user is five characters of text, not the end of the prompt.
        self._backend.encode_special_tokens = True
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.pad_id = pad_id
        self.end_id = end_id

    @property
    def vocab_size(self) -> int:
        """Rows the text encoder's embedding table needs."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    @classmethod
    def load(cls, folder: str | PathLike[str], max_length: int = MAX_LENGTH) -> Tokenizer:
        """Read `tokenizer.json`, and `vocabulary.json` where the folder has one."""
        folder = Path(folder)
        path = folder / FILE
        if not path.is_file():
            raise UsageError(f"{folder} holds no {FILE}")
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for whatever its parser met
            raise Failure(f"{path} is not a tokenizer file: {error}") from error
        known = folder / VOCABULARY_FILE
        return cls(backend, Vocabulary.load(known) if known.exists() else None, max_length)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the three files; existing ones are replaced."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / FILE, force=True) as temporary:
            temporary.write_text(self._backend.to_str(pretty=True), encoding="utf-8")
        write_json(folder / CONFIG_FILE, self._transformers_config())
        if self.vocabulary is not None:
            self.vocabulary.save(folder / VOCABULARY_FILE)

    def encode(self, prompts: str | Sequence[str]) -> list[list[int]]:
        """Return the ids of each cleaned prompt, cut to `max_length`, the last one `</s>`."""
        prompts = [prompts] if isinstance(prompts, str) else prompts
        encodings = self._backend.encode_batch(
            [clean_prompt(prompt) for prompt in prompts], add_special_tokens=False
        )
        return [[*encoding.ids[: self.max_length - 1], self.end_id] for encoding in encodings]

    def same_as(self, other: Tokenizer) -> bool:
        """Return whether both cut every prompt into the same ids."""
        return self.max_length == other.max_length and self._backend.to_str() == other._backend.to_str()

    def decode(self, ids: Sequence[int]) -> str:
        """Return the normalised text of `ids`, without special tokens."""
        return self._backend.decode(list(ids), skip_special_tokens=True)

    def pieces(self, prompt: str) -> list[str]:
        """Return the pieces a prompt is cut into, for people to read."""
        return self._backend.encode(clean_prompt(prompt), add_special_tokens=False).tokens

    def pad(
        self, ids: Sequence[Sequence[int]], length: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids as int64 [B, L] and their lengths as int64 [B]; L is `length`, or the longest prompt's."""
        import torch

        lengths = [len(row) for row in ids]
        width = max(lengths, default=0) if length is None else length
        if lengths and max(lengths) > width:
            raise UsageError(f"a prompt has {max(lengths)} tokens; at most {width} fit")
        rows = [[*row, *[self.pad_id] * (width - len(row))] for row in ids]
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), width), torch.tensor(
            lengths, dtype=torch.int64
        )

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the prompt's words that training never showed, as typed; none where no vocabulary is known."""
        return [] if self.vocabulary is None else self.vocabulary.unknown_words(clean_prompt(prompt))

    def _transformers_config(self) -> dict[str, Any]:
        return {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "pad_token": PAD,
            "eos_token": END,
            "unk_token": UNKNOWN,
            "model_max_length": self.max_length,
            "padding_side": "right",
            "truncation_side": "right",
            "split_special_tokens": True,
            "clean_up_tokenization_spaces": False,
        }


def train_tokenizer(texts: Iterable[str], vocab_size: int = 4096, max_length: int = MAX_LENGTH) -> Tokenizer:
    """Return a tokenizer of at most `vocab_size` ids trained on captions and the general word lists.

    Deterministic: the same texts, in any order, give the same files. `texts` also make the vocabulary by which
    a prompt's unknown words are named; the word lists do not.
    """
    texts = [clean_prompt(text) for text in texts]
    if not texts:
        raise UsageError("a tokenizer cannot be trained on 0 texts; at least 1 is needed")
    backend = _backend([(UNKNOWN, 0.0)], unknown_id=0)
    words = _count_words(backend, texts)
    # Every printable ASCII character has a piece, so that typing in English never falls back to bytes.
    required = {WORD_BEGIN, *SUFFIXES} | {chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()}
    special = [(token, 0.0) for token in (PAD, END, UNKNOWN, *BYTES)]
    pieces = train_unigram(words, vocab_size - len(special), required)
    return Tokenizer(_backend(special + pieces, unknown_id=2), Vocabulary.from_texts(texts), max_length)


def _backend(vocab: list[tuple[str, float]], unknown_id: int) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(
        models.Unigram(vocab, unk_id=unknown_id, byte_fallback=len(vocab) > len(BYTES))
    )
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("[‘’]"), "'"),
            normalizers.Replace(Regex("[“”]"), '"'),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"\p{Han}+"), behavior="isolated"),
            pre_tokenizers.Metaspace(replacement=WORD_BEGIN, prepend_scheme="always", split=True),
            # Only words of an alphabet keep their mark.
            pre_tokenizers.Split(Regex(rf"^{WORD_BEGIN}(?=\p{{Han}}|\P{{L}})"), behavior="removed"),
        ]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Metaspace(replacement=WORD_BEGIN, prepend_scheme="always", split=True),
        ]
    )
    if unknown_id == 2:
        backend.add_special_tokens([PAD, END, UNKNOWN])
        backend.post_processor = processors.TemplateProcessing(
            single=["$A", END], pair=["$A", END, "$B", END], special_tokens=[(END, 1)]
        )
    return backend


def _count_words(backend: tokenizers.Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """Count pre-tokens, Chinese cut into lexicon words; the word lists count as if seen a little."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(_pre_tokens(backend, text))
    general = ENGLISH | CHINESE | ENGLISH_FUNCTION_WORDS | CHINESE_FUNCTION_WORDS
    for word in sorted(general):
        for token in _pre_tokens(backend, word):
            words[token] += _LEXICON_COUNT
    return words


def _pre_tokens(backend: tokenizers.Tokenizer, text: str) -> list[str]:
    normal = backend.normalizer.normalize_str(text)
    return [token for token, _ in backend.pre_tokenizer.pre_tokenize_str(space_han(normal))]
