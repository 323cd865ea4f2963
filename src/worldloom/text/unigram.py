"""Training of a Unigram vocabulary over counted words, the same on every run.

The model is Kudo's (2018, arXiv:1804.10959): every piece has a probability, and a word is cut the most
probable way. The candidates differ: Kudo starts from all substrings and prunes, which over a few thousand
word types leaves whole words and single letters and nothing between. Here they are byte-pair merges, which
take what many words share before what one rare word is; expectation-maximisation then drops the merges that
later ones have made idle, to make room for more.

The trainer of the `tokenizers` library walks hash tables whose order changes from process to process, so its
scores differ between runs; everything here is sorted.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

EM_STEPS = 4
ROUNDS = 5
"""How often idle merges make room for others; each round frees fewer places than the one before."""
MIN_COUNT = 0.5
"""A merge expected fewer times than this is idle (SentencePiece's limit)."""
FLOOR_COUNT = 0.1
"""What an idle piece that is kept all the same is counted as, so that its score is finite."""


def train_unigram(
    words: Mapping[str, int], vocab_size: int, required: Iterable[str] = (), max_length: int = 16
) -> list[tuple[str, float]]:
    """Return at most `vocab_size` pieces with their log-probabilities, best first.

    Args:
        words: pre-tokens and how often each occurs; a piece never crosses their borders.
        vocab_size: pieces wanted; fewer come back where the words have no more parts that recur.
        required: pieces kept whatever they earn; single letters of `words` always are.
        max_length: longest piece, in characters.
    """
    words = dict(sorted(words.items()))
    kept = sorted(set(required) | {letter for word in words for letter in word})
    if len(kept) > vocab_size:
        raise ValueError(
            f"{len(kept)} single letters and required pieces do not fit into {vocab_size} pieces"
        )
    waiting = [piece for piece in merges(words, max_length) if piece not in kept]
    chosen: list[str] = []
    idle: list[str] = []
    for _ in range(ROUNDS):
        room = vocab_size - len(kept) - len(chosen)
        chosen, waiting = chosen + waiting[:room], waiting[room:]
        counts = _expected_counts(words, kept + chosen, max_length)
        idle += [piece for piece in chosen if counts[piece] < MIN_COUNT]
        chosen = [piece for piece in chosen if counts[piece] >= MIN_COUNT]
        if not waiting:
            break
    # Room left is given back to idle merges: they are the stems that unseen forms are spelled with.
    pieces = kept + chosen + idle[: vocab_size - len(kept) - len(chosen)]
    scores = _log_share(_expected_counts(words, pieces, max_length))
    # Rounded so that the last digit of a platform's logarithm does not change the file.
    rounded = ((piece, round(score, 6)) for piece, score in scores.items())
    return sorted(rounded, key=lambda entry: (-entry[1], entry[0]))


def merges(words: Mapping[str, int], max_length: int) -> list[str]:
    """Return the pieces that byte-pair merging of `words` makes, in order, down to pairs that occur once."""
    spelled = [list(word) for word in words]
    counts = list(words.values())
    pair_counts: Counter[tuple[str, str]] = Counter()
    places: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for index, parts in enumerate(spelled):
        for pair in pairwise(parts):
            pair_counts[pair] += counts[index]
            places[pair].add(index)
    heap = [(-count, pair) for pair, count in pair_counts.items()]
    heapq.heapify(heap)
    made: dict[str, None] = {}
    while heap and -heap[0][0] >= 2:
        count, pair = heapq.heappop(heap)
        if -count != pair_counts[pair] or len(pair[0] + pair[1]) > max_length:
            continue  # the entry is out of date, or the piece too long
        made.setdefault(pair[0] + pair[1])
        changed: set[tuple[str, str]] = set()
        for index in places.pop(pair):
            before, after = spelled[index], _merge(spelled[index], pair)
            for old in pairwise(before):
                pair_counts[old] -= counts[index]
                changed.add(old)
            for new in pairwise(after):
                pair_counts[new] += counts[index]
                places[new].add(index)
                changed.add(new)
            spelled[index] = after
        for entry in changed:
            heapq.heappush(heap, (-pair_counts[entry], entry))
    return list(made)


def _merge(parts: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for part in parts:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _log_share(counts: Mapping[str, float]) -> dict[str, float]:
    floored = {piece: max(count, FLOOR_COUNT) for piece, count in counts.items()}
    total = math.log(math.fsum(floored.values()))
    return {piece: math.log(count) - total for piece, count in floored.items()}


def _expected_counts(words: Mapping[str, int], pieces: Iterable[str], max_length: int) -> dict[str, float]:
    """Expectation-maximisation from equal probabilities: how often each piece is used, over all ways to cut."""
    counts = dict.fromkeys(pieces, 1.0)
    for _ in range(EM_STEPS):
        counts = _em_step(words, _log_share(counts), max_length)
    return counts


def _em_step(words: Mapping[str, int], scores: Mapping[str, float], max_length: int) -> dict[str, float]:
    expected = dict.fromkeys(scores, 0.0)
    for word, count in words.items():
        arcs = [
            (start, end, word[start:end], math.exp(scores[word[start:end]]))
            for start in range(len(word))
            for end in range(start + 1, min(len(word), start + max_length) + 1)
            if word[start:end] in scores
        ]
        ahead, behind = [1.0] + [0.0] * len(word), [0.0] * len(word) + [1.0]
        for start, end, _, weight in arcs:
            ahead[end] += ahead[start] * weight
        for start, end, _, weight in reversed(arcs):
            behind[start] += behind[end] * weight
        for start, end, piece, weight in arcs:
            expected[piece] += count * ahead[start] * weight * behind[end] / ahead[-1]
    return expected
