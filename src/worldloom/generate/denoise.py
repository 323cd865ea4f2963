"""The denoiser of one canvas: which transformer answers at which noise level, under guidance, and what it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from worldloom.dit.context import TextContext
from worldloom.dit.model import Transformer
from worldloom.flow.guidance import guide, is_guided
from worldloom.flow.path import interpolate, velocity
from worldloom.flow.timestep import whole_timestep
from worldloom.generate.canvas import Canvas


class Words(NamedTuple):
    """A prompt as the text encoder reads it, and the negative prompt in row 1 under guidance."""

    embeds: Tensor  # [B, L, S]
    lengths: Tensor  # [B]


class Expert(NamedTuple):
    """A transformer with the keys and values that the prompt has in it."""

    transformer: Transformer
    context: TextContext


@dataclass(frozen=True)
class History:
    """Given cells, hidden from the unconditional branch under noise: guidance towards what they say (arXiv 2502.06764).

    A model that follows given frames too loosely is pushed away from what it would do had it not seen them. known:
    bool [f, h, w]; noise: [1, C, f, h, w].
    """

    known: Tensor
    noise: Tensor

    def hidden(self, noisy: Tensor, levels: Tensor, patch: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Return latents [1, C, f, h, w] and tokens' levels [1, F, H, W] with given cells at the highest level of all."""
        top = levels.max()
        tokens = self.known[:: patch[0], :: patch[1], :: patch[2]]
        covered = interpolate(noisy, self.noise.to(noisy), top)
        return torch.where(self.known, covered, noisy), torch.where(tokens, top, levels)


@dataclass(frozen=True)
class Denoiser:
    """(noisy latents [1, C, f, h, w], noise level) -> velocity; the level is a number or [1, 1, f, h, w].

    experts: one for all levels, or one for high noise and one for levels below `boundary`.
    guidance_scale: 1 for none; else both branches go through the model as one batch of two, where the noise level lies
    within `guidance_range`.
    beside: what is stacked under the noisy channels, [1, C', f, h, w], or None.
    history: what the unconditional branch does not see; None shows it all that is given.
    """

    experts: tuple[Expert, ...]
    boundary: float
    guidance_scale: float
    beside: Tensor | None = None
    guidance_range: tuple[float, float] = (0.0, 1.0)
    history: History | None = None

    def __call__(self, noisy: Tensor, t: Tensor) -> Tensor:
        transformer, context = self._expert(t)
        if context.batch == 2 and not is_guided(t, self.guidance_range):
            context = context.first()
        patch = transformer.config.patch_size
        levels = _token_levels(t, patch)
        shown = noisy if self.beside is None else torch.cat([noisy, self.beside.to(noisy)], dim=1)
        if context.batch == 2 and self.history is not None:
            hidden, raised = self.history.hidden(shown, levels, patch)
            shown, levels = torch.cat([shown, hidden]), torch.cat([levels, raised])
        elif levels.ndim > 1:
            levels = levels.expand(context.batch, -1, -1, -1)
        answer = transformer(shown.expand(context.batch, -1, -1, -1, -1), levels, context).float()
        if context.batch == 1:
            return answer
        conditional, unconditional = answer.chunk(2)
        return guide(conditional, unconditional, self.guidance_scale)

    def _expert(self, t: Tensor) -> Expert:
        if len(self.experts) == 1:
            return self.experts[0]
        return self.experts[0 if float(whole_timestep(t).max()) >= self.boundary else 1]


def hold(
    denoiser: Callable[[Tensor, Tensor], Tensor], canvas: Canvas, noise: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the denoiser of a model that knows one noise level for all cells.

    A cell whose own level lies below the present one, as a known cell's always does, answers with the velocity
    noise - content of its straight path. Every sampler here is exact on a straight path, so at each step such a cell
    is the content noised to the present level, until its level is reached and the model takes over.
    """
    if bool((canvas.start == canvas.start.max()).all()):
        return denoiser
    straight = velocity(canvas.latents, noise)

    def held(noisy: Tensor, t: Tensor) -> Tensor:
        return torch.where(canvas.start < t, straight, denoiser(noisy, t))

    return held


def _token_levels(t: Tensor, patch: tuple[int, int, int]) -> Tensor:
    """Return noise levels as the transformer takes them: [1] for one level, [1, f/pt, h/ph, w/pw] for a grid.

    They are rounded down to thousandths, as Wan's pipelines count timesteps, so that a folder paints the same clip
    here and there (unrounded, the tiny model's clips are 54 dB apart).
    """
    t = whole_timestep(t)
    if t.numel() == 1:
        return t.reshape(1)
    return t[:, 0, :: patch[0], :: patch[1], :: patch[2]]
