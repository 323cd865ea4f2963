"""The objective of the text encoder alone: to say from a caption's words what is true of its take.

A transformer teaches its text encoder poorly at first: what words mean reaches it through the small part of the
velocity's error that they explain, and images cost a hundred times a caption. Truth is at hand here, so the encoder
learns to read first: from any caption, in either language, a small reader that attends to its words answers the
questions of `questions.py` and names the words of another caption of the same take, in whatever language. What the
reader can attend to, the transformer's cross-attention can too. The reader itself is thrown away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.error import UsageError
from worldloom.core.seed import numpy_generator, torch_generator
from worldloom.data.bucket import Batch, BatchPlan
from worldloom.data.dataset import LANGUAGES
from worldloom.data.manifest import Manifest
from worldloom.text.encoder import TextEncoder, TextEncoderConfig
from worldloom.text.tokenizer import Tokenizer
from worldloom.training.captions import caption_cache, length_of_batch, settle_tokenizer
from worldloom.training.guard import GuardConfig
from worldloom.training.objective import Surroundings, TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.questions import Questions
from worldloom.training.schedule import ScheduleConfig

# A word is in about one caption of a hundred: the reader starts out expecting that.
RARITY = -5.0


@dataclass(frozen=True)
class CaptionDataConfig:
    """Whose captions are read, and how many at once; token ids are kept in `cache`.

    The tokenizer is that of the folder `tokenizer`, or where that is empty one of `vocab_size` trained on them.
    """

    folders: tuple[str, ...]
    cache: str
    batch: int
    tokenizer: str = ""
    heldout_permille: int = 20
    evaluated: int = 256
    vocab_size: int = 4096


@dataclass(frozen=True)
class ReadingRecipe:
    """A complete run of the text encoder; `words` weighs naming another caption's words against the questions.

    The questions named in `pressing`, which most captions leave open, weigh as much together as all that are asked of
    every take: as one question of many, what the camera does was not learnt at all.

    With `start_from`, a folder with a text encoder and its tokenizer, that one learns on.
    """

    name: str
    text: TextEncoderConfig
    data: CaptionDataConfig
    words: float
    pressing: tuple[str, ...]
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    guard: GuardConfig
    trainer: TrainerConfig
    start_from: str = ""

    def build(self, surroundings: Surroundings) -> "Reading":
        """The objective, with captions cached first where they are not."""
        return Reading(self, surroundings)


@dataclass(frozen=True)
class Captions:
    """Captions `ids` [B, L] of `lengths` [B], the right `answers` [B, Q], and `said` [B, V]: another one's words.

    `binding` [B, Q] marks the answers that are the colour of one kind of thing.
    """

    ids: Tensor
    lengths: Tensor
    answers: Tensor
    binding: Tensor
    said: Tensor


class Reader(nn.Module):
    """Answers every question by one look of a learned query at the words."""

    def __init__(self, width: int, num_heads: int, answers: Sequence[int], vocab_size: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(answers) + 1, width) * width**-0.5)
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.answer = nn.ModuleList(nn.Linear(width, count) for count in answers)
        self.words = nn.Linear(width, vocab_size)
        nn.init.constant_(self.words.bias, RARITY)

    def forward(self, embeds: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Logits [B, answers] of every question, and of every word [B, V], from embeddings [B, L, D]."""
        absent = torch.arange(embeds.shape[1], device=embeds.device) >= lengths[:, None]
        queries = self.queries.expand(len(embeds), -1, -1)
        found, _ = self.attention(queries, embeds, embeds, key_padding_mask=absent, need_weights=False)
        return [head(found[:, n]) for n, head in enumerate(self.answer)], self.words(found[:, -1])


class Reading:
    """Cross-entropy of the answers and of the words of another caption of the same take."""

    plain = ("shared", "relative_attention_bias", "reader.")
    figures = ("right", "bound")

    def __init__(self, recipe: ReadingRecipe, surroundings: Surroundings) -> None:
        self.recipe, self.seed, self.device = recipe, surroundings.seed, surroundings.parallel.device
        run, parallel, config = surroundings.run, surroundings.parallel, recipe.data
        manifest = Manifest.load(config.folders)
        if parallel.leads:
            settle_tokenizer(manifest, config.vocab_size, config.tokenizer or recipe.start_from, run)
            caption_cache(config.cache, manifest, run, surroundings.quiet)
        parallel.wait()
        self.tokenizer = Tokenizer.load(run / "tokenizer")
        self.captions = caption_cache(config.cache, manifest, run, quiet=True)
        self.questions = Questions.gather(manifest, surroundings.quiet or not parallel.leads)
        self.general = torch.from_numpy(self.questions.general)
        self.binding = torch.from_numpy(self.questions.binding)
        self.pressing = torch.from_numpy(self.questions.named(recipe.pressing))
        places = {sample: number for number, sample in enumerate(manifest.samples)}
        training, heldout = manifest.split(config.heldout_permille)
        self.places = [places[s] for s in training.samples]
        self.heldout = [places[s] for s in heldout.samples]
        self.plan = BatchPlan([(1, 1, 1)] * len(self.places), config.batch, lambda _: 1, self.seed)
        vocabulary = self.tokenizer.vocab_size
        with torch.random.fork_rng():
            torch.manual_seed(torch_generator(self.seed, "weights").initial_seed())
            self.text_encoder = TextEncoder(replace(recipe.text, vocab_size=vocabulary))
            if recipe.start_from:
                self.text_encoder.load_state_dict(_learnt(recipe.start_from, self.text_encoder.config))
            counts = [len(given) for given in self.questions.answers]
            self.reader = Reader(recipe.text.d_model, recipe.text.num_heads, counts, vocabulary)
        self.module: nn.Module = nn.ModuleDict({"text_encoder": self.text_encoder, "reader": self.reader})

    def prepare(self, batch: Batch, positions: Sequence[int]) -> Captions:
        """Draw two captions of each sample: one to read, one whose words are to be named."""
        samples = [self.places[int(batch.indices[p])] for p in positions]
        generators = [numpy_generator(self.seed, "caption", batch.step, p) for p in positions]
        return self._captions(samples, generators, length=length_of_batch(self.seed, batch.step))

    def loss(self, prepared: Captions, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy over the questions asked of all, over the pressing ones, over the colours of things, and
        the words' summed over the vocabulary; shares of right answers."""
        logits, words = self._read(prepared)
        right = prepared.answers.to(self.device)
        surprise = torch.stack(
            [F.cross_entropy(logit, right[:, n], reduction="none") for n, logit in enumerate(logits)], dim=1
        )
        binding = prepared.binding.to(self.device)
        asked = surprise[:, self.general].mean() + _mean(surprise, binding)
        if self.pressing.any():
            asked = asked + surprise[:, self.pressing].mean()
        said = prepared.said.to(self.device)
        named = F.binary_cross_entropy_with_logits(words, said, reduction="none").sum(1).mean()
        answered = self._right(logits, right)
        return asked + self.recipe.words * named, {
            "right": answered[:, self.general].mean(),
            "bound": _mean(answered, binding),
        }

    def tokens(self, batch: Batch) -> int:
        """Captions of the batch."""
        return len(batch.indices)

    def evaluate(self, folder: Path, step: int) -> dict[str, float]:
        """Share of right answers on held-out takes, question by question in each language, from any length."""
        chosen = numpy_generator(self.seed, "heldout").permutation(self.heldout)[: self.recipe.data.evaluated]
        if not len(chosen):
            return {}
        figures = {}
        for number, language in enumerate(LANGUAGES):
            generators = [numpy_generator(self.seed, "judged", int(place)) for place in chosen]
            captions = self._captions([int(place) for place in chosen], generators, number)
            logits, _ = self._read(captions)
            right = self._right(logits, captions.answers.to(self.device))
            asked = zip(self.questions.names, right.mean(0), self.general, strict=True)
            figures |= {f"{language}/{name}": float(r) for name, r, general in asked if general}
            figures[f"{language}/right"] = float(right[:, self.general].mean())
            figures[f"{language}/bound"] = float(_mean(right, captions.binding.to(self.device)))
        return figures

    def write_weights(self, folder: Path) -> None:
        """Write `text_encoder/` and `tokenizer/`, which `data.text` of a transformer's run names."""
        self.text_encoder.save(folder / "text_encoder")
        self.tokenizer.save(folder / "tokenizer")

    def close(self) -> None:
        """Nothing is held open."""

    def _captions(
        self,
        samples: Sequence[int],
        generators: Sequence[np.random.Generator],
        language: int | None = None,
        length: int | None = None,
    ) -> Captions:
        pairs = [
            (self.captions.draw(sample, g, language, length), self.captions.draw(sample, g))
            for sample, g in zip(samples, generators, strict=True)
        ]
        ids, lengths = self.tokenizer.pad([read.tolist() for read, _ in pairs])
        said = torch.zeros(len(pairs), self.tokenizer.vocab_size)
        for row, (_, other) in zip(said, pairs, strict=True):
            row[torch.from_numpy(other).long()] = 1
        answers = torch.from_numpy(self.questions.table[np.asarray(samples)])
        return Captions(ids, lengths, answers, self.binding[torch.tensor(samples)], said)

    def _read(self, captions: Captions) -> tuple[list[Tensor], Tensor]:
        """Logits of every question and of every word."""
        ids, lengths = captions.ids.to(self.device), captions.lengths.to(self.device)
        return self.reader(self.text_encoder(ids, lengths).float(), lengths)

    def _right(self, logits: Sequence[Tensor], answers: Tensor) -> Tensor:
        """[B, Q]: 1 where the likeliest answer is the right one."""
        return torch.stack([logit.argmax(1) for logit in logits], dim=1).eq(answers).float()


def _learnt(folder: str, config: TextEncoderConfig) -> dict[str, Tensor]:
    """The weights of the text encoder of a folder; it must have the sizes of `config`."""
    encoder = TextEncoder.load(Path(folder) / "text_encoder", dtype=torch.float32)
    if encoder.config != config:
        raise UsageError(f"the text encoder of {folder} has {encoder.config}; the recipe has {config}")
    return encoder.state_dict()


def _mean(values: Tensor, of: Tensor) -> Tensor:
    """The mean of the values where `of` is true; 0 where it never is."""
    return (values * of).sum() / of.sum().clamp_min(1)
