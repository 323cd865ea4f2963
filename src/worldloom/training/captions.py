"""Token ids of every caption, kept on disk and drawn at random: language, then length, then wording."""

import hashlib
from pathlib import Path

import numpy as np

from worldloom.core.error import Failure
from worldloom.core.file import sha256_of, whole_file
from worldloom.core.progress import progress
from worldloom.core.seed import numpy_generator
from worldloom.data.dataset import LANGUAGES, LENGTHS, ClipDataset
from worldloom.data.manifest import Manifest
from worldloom.text.tokenizer import Tokenizer, train_tokenizer

# Takes whose captions train a tokenizer: the grammar's words are all there long before.
TOKENIZER_TAKES = 4000


class CaptionCache:
    """Captions of the samples of a manifest as token ids.

    The file holds three arrays: `tokens` (all ids, one caption after another), `starts` [captions + 1] into it,
    and `table` [samples, language, length, 2] with (first caption, number of wordings).
    """

    def __init__(
        self, root: Path, manifest: Manifest, tokenizer: Tokenizer, tokenizer_hash: str, quiet: bool
    ) -> None:
        path = root / f"captions-{_fingerprint(manifest, tokenizer_hash)[:20]}.npz"
        if not path.exists():
            root.mkdir(parents=True, exist_ok=True)
            arrays = _tokenize(manifest, tokenizer, quiet)
            with whole_file(path, force=True) as temporary, open(temporary, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        with np.load(path, allow_pickle=False) as stored:
            self.tokens, self.starts, self.table = stored["tokens"], stored["starts"], stored["table"]

    def draw(
        self,
        index: int,
        generator: np.random.Generator,
        language: int | None = None,
        length: int | None = None,
    ) -> np.ndarray:
        """The ids of one caption of a sample; each language is as likely as the other and each length, where none is given."""
        drawn = int(generator.integers(len(LANGUAGES))), int(generator.integers(len(LENGTHS)))
        language = drawn[0] if language is None else language
        length = drawn[1] if length is None else length
        first, count = self.table[index, language, length]
        return self.ids(int(first) + int(generator.integers(int(count))))

    def ids(self, caption: int) -> np.ndarray:
        """The ids of a caption by its number."""
        return self.tokens[self.starts[caption] : self.starts[caption + 1]]


def length_of_batch(seed: int, step: int) -> int:
    """Which of `LENGTHS` all captions of a step's batch have: mixed, short ones would be padded to four times their own."""
    return int(numpy_generator(seed, "length", step).integers(len(LENGTHS)))


def settle_tokenizer(manifest: Manifest, vocab_size: int, taken_from: str, run: Path) -> None:
    """Keep a tokenizer in the run folder: the one of the folder `taken_from`, or where that is empty a new one."""
    if (run / "tokenizer").exists():
        return
    source = Path(taken_from) / "tokenizer"
    tokenizer = Tokenizer.load(source) if taken_from else tokenizer_for(manifest, vocab_size)
    partial = run / ".tokenizer.part"
    tokenizer.save(partial)
    partial.rename(run / "tokenizer")


def caption_cache(root: str, manifest: Manifest, run: Path, quiet: bool) -> CaptionCache:
    """The captions of a manifest under the tokenizer that is kept in the run folder."""
    fingerprint = sha256_of(run / "tokenizer" / "tokenizer.json")
    return CaptionCache(Path(root), manifest, Tokenizer.load(run / "tokenizer"), fingerprint, quiet)


def tokenizer_for(manifest: Manifest, vocab_size: int) -> Tokenizer:
    """A tokenizer trained on the captions of up to `TOKENIZER_TAKES` takes spread over the manifest."""
    step = max(1, len(manifest.samples) // TOKENIZER_TAKES)
    dataset = ClipDataset(Manifest(manifest.samples[::step]))
    texts = [text for index in range(len(dataset)) for text in _texts(dataset.captions(index))]
    dataset.close()
    return train_tokenizer(texts, vocab_size)


def _tokenize(manifest: Manifest, tokenizer: Tokenizer, quiet: bool) -> dict[str, np.ndarray]:
    dataset = ClipDataset(manifest)
    tokens: list[int] = []
    starts = [0]
    table = np.zeros((len(dataset), len(LANGUAGES), len(LENGTHS), 2), dtype=np.int64)
    with progress(len(dataset), "reading captions", quiet, unit="take") as bar:
        for index in range(len(dataset)):
            captions = dataset.captions(index)
            for ids in tokenizer.encode(_texts(captions)):
                tokens += ids
                starts.append(len(tokens))
            table[index] = _numbers(captions, len(starts) - 1)
            bar.advance()
    dataset.close()
    return {"tokens": np.asarray(tokens, np.int32), "starts": np.asarray(starts, np.int64), "table": table}


def _numbers(captions: dict, end: int) -> np.ndarray:
    """[language, length, 2]: (first, count) of a sample's captions, the last of which is number `end` - 1."""
    counts = np.asarray([[len(captions[la][le]) for le in LENGTHS] for la in LANGUAGES])
    firsts = end - counts.sum() + np.concatenate([[0], counts.cumsum()[:-1]]).reshape(counts.shape)
    return np.stack([firsts, counts], axis=-1)


def _texts(captions: dict) -> list[str]:
    if not all(captions.get(la, {}).get(le) for la in LANGUAGES for le in LENGTHS):
        raise Failure(
            "a sample has no captions of some language or length; the dataset must be captioned first"
        )
    return [text for la in LANGUAGES for le in LENGTHS for text in captions[la][le]]


def _fingerprint(manifest: Manifest, tokenizer_hash: str) -> str:
    digest = hashlib.sha256(tokenizer_hash.encode())
    for folder, part in manifest.by_folder().items():
        digest.update(sha256_of(folder / "shards.json").encode())
        digest.update("\n".join(s.key for s in part.samples).encode())
    return digest.hexdigest()
