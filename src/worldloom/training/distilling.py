"""The objective that makes few steps of many: a student lands where its teacher's guided steps would.

A sample is noised to the beginning of one of the student's steps, or the student itself goes there from pure noise.
From there the teacher, the same weights held still, takes several guided steps, and the student learns the one velocity
that leads straight to where they end, without guidance: progressive distillation (arXiv 2202.00512) of guided diffusion
(arXiv 2210.03142), all steps at once. What the teacher loses by steps that are too long, the student loses with it. A
noised sample still tells of its colours what the student's own steps have not decided yet, so without starts of its own
a student never learns to decide them (as learners go astray on states that only their teachers visit: arXiv 1011.0686).
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.core.seed import numpy_generator
from worldloom.data.bucket import Batch
from worldloom.dit.context import TextContext
from worldloom.dit.lora import Lora
from worldloom.dit.model import Transformer
from worldloom.flow.guidance import guide
from worldloom.flow.path import interpolate
from worldloom.flow.schedule import shifted_sigmas
from worldloom.generate.card import SamplerName
from worldloom.generate.engine import SAMPLERS
from worldloom.training.denoising import Canvases, Denoising, DenoisingRecipe
from worldloom.training.objective import Surroundings
from worldloom.training.preview import write_preview


@dataclass(frozen=True)
class StepsConfig:
    """The student's steps, for how many of the teacher's each stands, and by which sampler, guidance and shift those go.

    `own` is the share of samples that begin a step where the student's own steps lead. `adapter` is a file of low-rank
    differences with which the student begins, from the distilling of an earlier teacher; empty for none.
    """

    steps: int = 4
    teacher_steps: int = 4
    sampler: SamplerName = "euler"
    guidance_scale: float = 3.5
    shift: float = 3.0
    own: float = 0.5
    adapter: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.teacher_steps < 1:
            raise UsageError(
                f"a student of {self.steps} steps for {self.teacher_steps} of its teacher's each is none; both must be at least 1"
            )
        if not 0 <= self.own <= 1:
            raise UsageError(
                f"a share of {self.own:g} of samples cannot begin where the student leads; 0 to 1 can"
            )


@dataclass(frozen=True)
class DistillingRecipe(DenoisingRecipe):
    """A transformer run whose teacher is the checkpoint folder `start_from`."""

    few: StepsConfig = StepsConfig()

    def build(self, surroundings: Surroundings) -> "Distilling":
        """The objective; raises UsageError without a teacher."""
        if not self.start_from:
            raise UsageError(f"{self.name} needs a teacher; name its checkpoint folder with --start_from=DIR")
        return Distilling(self, surroundings)


@dataclass(frozen=True)
class Segments(Canvases):
    """Canvases whose unknown tokens begin a step of the student; `own` [B] where it went there by itself."""

    own: Tensor


class Distilling(Denoising):
    """Squared error of the velocity to where the teacher arrives, on unknown tokens."""

    def __init__(self, recipe: DistillingRecipe, surroundings: Surroundings) -> None:
        super().__init__(recipe, surroundings)
        self.few = recipe.few
        self.teacher = deepcopy(self.transformer).eval().requires_grad_(False).to(self.device)
        if self.few.adapter:
            folder, loras = Path(recipe.start_from) / "transformer", (Lora(Path(self.few.adapter)),)
            adapted = Transformer.load(folder, dtype=torch.float32, loras=loras)
            self.transformer.load_state_dict(adapted.state_dict())
        self.levels = shifted_sigmas(self.few.steps * self.few.teacher_steps, self.few.shift)

    def prepare(self, batch: Batch, positions: Sequence[int]) -> Segments:
        """Samples at the beginnings of the student's steps; all of a canvas's unknown tokens are at the same one."""
        canvases = super().prepare(batch, positions)
        generators = [numpy_generator(self.seed, "segment", batch.step, p) for p in positions]
        begins = [int(generator.integers(self.few.steps)) for generator in generators]
        return self._at(canvases, begins, [generator.random() < self.few.own for generator in generators])

    def evaluate(self, folder: Path, step: int) -> dict[str, float]:
        """How far the student is from its teacher on held-out clips, nothing known, and what it paints."""
        chosen = numpy_generator(self.seed, "heldout").permutation(self.heldout)[: self.recipe.data.evaluated]
        clips = [int(p) for p in chosen if not self.data.manifest.samples[int(p)].picture]
        if clips:
            write_preview(self.recipe.preview, self._engine(), self.data, clips, folder, step)
        errors = [
            float(
                self._error(self._at(self._judged(int(p), int(p), 0.5), [n % self.few.steps], [True])).mean()
            )
            for n, p in enumerate(chosen)
        ]
        return {"mse": float(np.mean(errors))} if errors else {}

    def _at(self, canvases: Canvases, begins: Sequence[int], own: Sequence[bool]) -> Segments:
        """Put unknown tokens at the beginnings of steps, a number for each sample."""
        starts = self.levels[:: self.few.teacher_steps][list(begins)][:, None, None, None]
        t = torch.where(canvases.weight > 0, starts, canvases.t)
        parts = {field.name: getattr(canvases, field.name) for field in fields(Canvases)}
        return Segments(**parts | {"t": t}, own=torch.tensor(own))

    def _error(self, canvases: Canvases) -> Tensor:
        """Squared error per token [B, f, h/ph, w/pw] of the student's velocity, 0 on known tokens."""
        canvases = canvases.to(self.device)
        assert isinstance(canvases, Segments)
        context = self._context(self.transformer, canvases.ids, canvases.lengths)
        begin = self._students_begin(canvases, context)
        end, reached = self._teachers_end(begin, canvases)
        span = self._cells(canvases.t - reached)
        moved = span > 0
        wanted = torch.where(moved, (begin - end) / span.clamp(min=1e-6), 0.0)
        predicted = self.transformer(begin, canvases.t, context).float()
        return self._per_token(torch.where(moved, predicted - wanted, 0.0).square())

    @torch.no_grad()
    def _students_begin(self, canvases: Segments, context: TextContext) -> Tensor:
        """Latents at the beginning of a step: noised ones, or where the student's steps from pure noise lead."""
        noised = interpolate(canvases.clean, canvases.noise, self._cells(canvases.t))
        unknown = canvases.weight > 0
        own = unknown & canvases.own[:, None, None, None]
        first = torch.where(own, canvases.t, 1.0).amin()
        # Samples that have arrived wait for the others: their steps have no length.
        path = [
            torch.where(unknown, torch.maximum(level, canvases.t), canvases.t)
            for level in self.levels[:: self.few.teacher_steps].to(self.device)
            if level >= first
        ]
        x = interpolate(canvases.clean, canvases.noise, self._cells(path[0]))
        for here, there in pairwise(path):
            velocity = self.transformer(x, here, context).float()
            x = x - self._cells(here - there) * velocity
        return torch.where(canvases.own[:, None, None, None, None], x, noised)

    @torch.no_grad()
    def _teachers_end(self, x: Tensor, canvases: Canvases) -> tuple[Tensor, Tensor]:
        """Latents, and levels of the tokens, after the teacher's guided steps through one of the student's."""
        told = self._context(self.teacher, canvases.ids, canvases.lengths)
        ids, lengths = self.data.tokenizer.pad([self.empty.tolist()] * len(x))
        untold = self._context(self.teacher, ids.to(self.device), lengths.to(self.device))
        levels = self.levels.to(self.device)
        place = (levels - canvases.t[..., None]).abs().argmin(-1)
        unknown = canvases.weight > 0
        path = [
            torch.where(unknown, levels[(place + number).clamp(max=len(levels) - 1)], canvases.t)
            for number in range(self.few.teacher_steps + 1)
        ]

        def guided(x: Tensor, level: Tensor) -> Tensor:
            t = level[:, 0, :: self.patch[0], :: self.patch[1], :: self.patch[2]]
            with_words, without = (self.teacher(x, t, words).float() for words in (told, untold))
            return guide(with_words, without, self.few.guidance_scale)

        x = SAMPLERS[self.few.sampler](guided, x, torch.stack([self._cells(t) for t in path]))
        return x, path[-1]

    def _context(self, transformer: Transformer, ids: Tensor, lengths: Tensor) -> TextContext:
        return transformer.prepare_text(self.text_encoder(ids, lengths), lengths)
