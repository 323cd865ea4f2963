"""The objective of the diffusion transformer: the velocity from noise to a clip, on random canvases.

Clean latents come from the cache, captions from theirs. Each sample gets a canvas (see `masking.py`), a noise
level for what is unknown, and a caption of random language, length and wording, or none. The loss is the mean
squared error of the velocity on unknown tokens; the text encoder is trained along unless it can read already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.seed import derive_seed, numpy_generator, torch_generator
from worldloom.data.bucket import Batch, BatchPlan, Shape
from worldloom.data.manifest import Sample
from worldloom.dit.config import TransformerConfig
from worldloom.flow.path import interpolate, velocity
from worldloom.flow.timestep import logit_normal, shift_timestep
from worldloom.generate.card import Sampling
from worldloom.generate.engine import Engine
from worldloom.generate.folder import save_checkpoint
from worldloom.text.encoder import TextEncoderConfig
from worldloom.training.captions import length_of_batch
from worldloom.training.guard import GuardConfig
from worldloom.training.masking import Grid, MaskConfig, draw_mask
from worldloom.training.naming import Naming
from worldloom.training.objective import Surroundings, TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.parts import LatentDataConfig, card_for, compositions, gather_data, initial_models
from worldloom.training.preview import PreviewConfig, write_preview
from worldloom.training.schedule import ScheduleConfig
from worldloom.training.subjects import Subjects
from worldloom.worlds.composition import is_unseen

# Mean change of normalised latents from one latent frame to the next above which a token counts as moving.
MOVING_CHANGE = 0.35
# Held-out clips are judged at these noise levels in turn.
JUDGED_LEVELS = (0.2, 0.4, 0.6, 0.8, 0.95)


@dataclass(frozen=True)
class NoiseConfig:
    """Noise levels and captions.

    The logits of levels are normal with deviation `spread`, and `shift` moves levels towards noise; `drop_text` of the
    captions are left out, and `drop_known` of them where two or more latent frames are known, so that motion is read
    from the frames. A token that moves weighs `moving` times one that does not, and one that shows a thing `subjects`
    times one that shows none; `naming` is the weight of saying their colours and `following` that of saying how they
    move (see `naming.py`), 0 for none. In `touched` of the samples what is known carries a little noise too, up to
    `touched_level`: known latents come from an encoder or an earlier window and are never perfect.
    """

    spread: float = 1.0
    shift: float = 2.0
    drop_text: float = 0.1
    drop_known: float = 0.3
    moving: float = 1.0
    subjects: float = 1.0
    naming: float = 0.0
    following: float = 0.0
    touched: float = 0.2
    touched_level: float = 0.1


@dataclass(frozen=True)
class DenoisingRecipe:
    """A complete transformer run; `start_from` names a checkpoint folder to begin with, or is empty."""

    name: str
    description: str
    transformer: TransformerConfig
    text: TextEncoderConfig
    data: LatentDataConfig
    mask: MaskConfig
    noise: NoiseConfig
    sampling: Sampling
    preview: PreviewConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    guard: GuardConfig
    trainer: TrainerConfig
    start_from: str = ""

    def build(self, surroundings: Surroundings) -> "Denoising":
        """The objective, with latents and captions cached first where they are not."""
        return Denoising(self, surroundings)


@dataclass(frozen=True)
class Canvases:
    """A batch ready for the model.

    `clean` and `noise` are [B, C, f, h, w]; `t`, `weight` (0 on known tokens) and `colours` are [B, f, h/ph, w/pw] on
    the token grid, `moved` [B, f, h/ph, w/pw, 2] (see `subjects.py`); `ids` [B, L] and `lengths` [B] are captions.
    """

    clean: Tensor
    noise: Tensor
    t: Tensor
    weight: Tensor
    colours: Tensor
    moved: Tensor
    ids: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> "Canvases":
        """The same on a device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


class Denoising:
    """Velocity loss of a transformer and its text encoder over cached latents."""

    # Muon keeps off what meets data or prompts first or last, and off tables of positions.
    plain = ("patch_embedding", "proj_out", "time_embedder", "time_proj", "shared", "relative_attention_bias")

    def __init__(self, recipe: DenoisingRecipe, surroundings: Surroundings) -> None:
        self.recipe, self.seed, self.device = recipe, surroundings.seed, surroundings.parallel.device
        self.data = gather_data(recipe.data, recipe.start_from, surroundings)
        self.transformer, self.text_encoder = initial_models(
            recipe.transformer, recipe.text, self.data, recipe.start_from, recipe.data.text, self.seed
        )
        noise = recipe.noise
        self.naming = self._naming() if noise.naming or noise.following else None
        trained = {"transformer": self.transformer, "text_encoder": self.text_encoder}
        self.module: nn.Module = nn.ModuleDict(trained | ({"naming": self.naming} if self.naming else {}))
        self.figures = ("mse", "naming", "following") if self.naming else ("mse",)
        self.patch = self.transformer.config.patch_size
        vae = self.data.vae
        self.strides = (vae.temporal_stride, vae.spatial_stride)
        self.mean, self.std = vae.latents_mean[None].cpu(), vae.latents_std[None].cpu()
        # The caches number all samples; `places` are the numbers of those trained on and of those held out.
        places = {sample: number for number, sample in enumerate(self.data.manifest.samples)}
        training, heldout = self.data.manifest.split(recipe.data.heldout_permille)
        self.heldout = [places[s] for s in heldout.samples]
        samples = list(zip(training.samples, compositions(training), strict=True))
        if recipe.data.leave_out:
            samples = [(s, composition) for s, composition in samples if not is_unseen(*composition)]
        self.shown_compositions = {composition for _, composition in samples}
        shown = [(places[s], shape) for s, _ in samples for shape in self._shapes(s)]
        self.places = [place for place, _ in shown]
        self.plan = BatchPlan(
            [shape for _, shape in shown],
            recipe.data.batch_tokens,
            lambda shape: int(np.prod(self._grid(shape))),
            self.seed,
        )
        self.subjects = (
            None if noise.subjects == 1.0 and self.naming is None else Subjects(self.data.manifest)
        )
        self.empty = np.asarray(self.data.tokenizer.encode([""])[0], np.int32)

    def prepare(self, batch: Batch, positions: Sequence[int]) -> Canvases:
        """Latents, noise, levels and captions of the samples at `positions` of the batch."""
        grid = self._grid(batch.shape)
        samples = [self.places[int(batch.indices[p])] for p in positions]
        drawn = [self._draw(place, grid, batch.step, p) for place, p in zip(samples, positions, strict=True)]
        t, weight, captions, second = zip(*drawn, strict=True)
        clean = self._latents(samples, batch.shape[0])
        for number, (p, share) in enumerate(zip(positions, second, strict=True)):
            if share.any():
                # Another sample of the whole batch, whoever prepares it.
                other = self.places[int(batch.indices[(p + 1) % len(batch.indices)])]
                clean[number].lerp_(self._latents([other], batch.shape[0])[0], share[:, None, None])
        noise = torch.stack(
            [
                torch.randn(clean.shape[1:], generator=torch_generator(self.seed, "noise", batch.step, p))
                for p in positions
            ]
        )
        ids, lengths = self.data.tokenizer.pad([c.tolist() for c in captions])
        importance = self._moving_weight(clean) * self._subject_weight(samples, batch.shape[0], grid)
        told = self._truths(samples, batch.shape[0], grid)
        return Canvases(clean, noise, torch.stack(t), torch.stack(weight) * importance, *told, ids, lengths)

    def loss(self, prepared: Canvases, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean over samples of the weighted mean squared velocity error on unknown tokens, and what naming adds."""
        error = self._error(prepared)
        weight = prepared.weight.to(self.device)
        unknown = (weight > 0).float()
        loss = ((error * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))).mean()
        plain = ((error * unknown).sum((1, 2, 3)) / unknown.sum((1, 2, 3))).mean()
        figures = {"mse": plain.detach()}
        if self.naming is not None:
            surprise, missed = self.naming(
                prepared.colours.to(self.device), prepared.moved.to(self.device), weight
            )
            loss = loss + self.recipe.noise.naming * surprise + self.recipe.noise.following * missed
            figures |= {"naming": surprise.detach(), "following": missed.detach()}
        return loss, figures

    def tokens(self, batch: Batch) -> int:
        """Patches of the batch."""
        return len(batch.indices) * int(np.prod(self._grid(batch.shape)))

    def evaluate(self, folder: Path, step: int) -> dict[str, float]:
        """Squared velocity error on held-out clips at fixed noise, nothing known; sheets of sampled clips.

        `text_gain` is by what share the right caption lowers the error of another clip's: 0 is a model that does
        not read.
        """
        chosen = numpy_generator(self.seed, "heldout").permutation(self.heldout)[: self.recipe.data.evaluated]
        levels = [JUDGED_LEVELS[i % len(JUDGED_LEVELS)] for i in range(len(chosen))]
        judged = list(zip(chosen.tolist(), np.roll(chosen, 1).tolist(), levels, strict=True))
        errors = [self._judge(place, place, level) for place, _, level in judged]
        misled = [self._judge(place, other, level) for place, other, level in judged]
        clips = [int(p) for p in chosen if not self.data.manifest.samples[int(p)].picture]
        if clips:
            write_preview(self.recipe.preview, self._engine(), self.data, clips, folder, step)
        if not errors:
            return {}
        return {"mse": float(np.mean(errors)), "text_gain": 1 - float(np.mean(errors) / np.mean(misled))}

    def write_weights(self, folder: Path) -> None:
        """Write a checkpoint folder that the pipeline and diffusers load."""
        card = self._engine().card
        readme = f"# {card.name}\n\n{card.description}\n\nTrained on {card.data}. Licence: {card.licence}.\n"
        save_checkpoint(self._engine(), folder, readme)

    def close(self) -> None:
        """Nothing is held open: the caches are memory maps."""

    def _draw(
        self, place: int, grid: Grid, step: int, position: int
    ) -> tuple[Tensor, Tensor, np.ndarray, Tensor]:
        """(t, weight, caption, second) of one sample: t and weight on the token grid, and the share of the next
        sample in each latent frame."""
        config = self.recipe.noise
        generator = numpy_generator(self.seed, "canvas", step, position)
        levels = torch_generator(self.seed, "level", step, position)
        mask = draw_mask(self.recipe.mask, grid, generator)
        known = torch.from_numpy(mask.known)
        shape = (grid[0], 1, 1) if mask.levels_per_frame else (1, 1, 1)
        t = shift_timestep(logit_normal(shape, levels, std=config.spread), config.shift).expand(grid)
        touched = config.touched_level * generator.random() if generator.random() < config.touched else 0.0
        t = torch.where(known, torch.tensor(touched, dtype=t.dtype), t)
        drop = config.drop_known if mask.known_frames >= 2 else config.drop_text
        length = length_of_batch(self.seed, step)
        caption = self._fitting(self.data.captions.draw(place, generator, length=length))
        told = self.empty if generator.random() < drop else caption
        return t, (~known).float(), told, torch.from_numpy(mask.second)

    def _fitting(self, caption: np.ndarray) -> np.ndarray:
        """A caption of at most as many tokens as the transformer takes: a longer one loses words before its end mark."""
        most = self.transformer.config.text_length
        return caption if len(caption) <= most else np.concatenate([caption[: most - 1], caption[-1:]])

    def _latents(self, places: Sequence[int], frames: int) -> Tensor:
        """Normalised latents [B, C, f, h, w] of the first `frames` frames of samples of one shape, in fp32."""
        kept = (frames - 1) // self.strides[0] + 1
        raw = np.stack([self.data.latents.raw(place)[:, :kept] for place in places])
        return (torch.from_numpy(raw).float() - self.mean) / self.std

    def _moving_weight(self, clean: Tensor) -> Tensor:
        """[B, f, h/ph, w/pw]: `moving` where latents change from frame to frame, else 1."""
        weight = torch.ones(len(clean), *(n // p for n, p in zip(clean.shape[2:], self.patch, strict=True)))
        if self.recipe.noise.moving == 1.0 or clean.shape[2] == 1:
            return weight
        change = (clean[:, :, 1:] - clean[:, :, :-1]).abs().mean(1, keepdim=True)
        change = torch.maximum(F.pad(change, (0, 0, 0, 0, 1, 0)), F.pad(change, (0, 0, 0, 0, 0, 1)))
        moves = F.avg_pool3d(change, self.patch)[:, 0] > MOVING_CHANGE
        return torch.where(moves, torch.tensor(self.recipe.noise.moving), weight)

    def _subject_weight(self, places: Sequence[int], frames: int, grid: Grid) -> Tensor:
        """[B, *grid]: `subjects` where things are, 1 where none is, and between them at their edges."""
        if self.subjects is None:
            return torch.ones(len(places), *grid)
        shown = torch.stack([self.subjects.shown(place, frames, grid) for place in places])
        return 1 + (self.recipe.noise.subjects - 1) * shown

    def _truths(self, places: Sequence[int], frames: int, grid: Grid) -> tuple[Tensor, Tensor]:
        """[B, *grid] and [B, *grid, 2]: colours and ways of what each token shows, zeros where nobody asks."""
        if self.subjects is None or self.naming is None:
            return torch.zeros(len(places), *grid, dtype=torch.int64), torch.zeros(len(places), *grid, 2)
        colours = [self.subjects.named(place, frames, grid) for place in places]
        return torch.stack(colours), torch.stack([self.subjects.moved(p, frames, grid) for p in places])

    def _naming(self) -> Naming:
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(self.seed, "naming"))
            return Naming(self.transformer)

    def _error(self, canvases: Canvases) -> Tensor:
        """Squared velocity error per token [B, f, h/ph, w/pw]."""
        canvases = canvases.to(self.device)
        noisy = interpolate(canvases.clean, canvases.noise, self._cells(canvases.t))
        embeds = self.text_encoder(canvases.ids, canvases.lengths)
        context = self.transformer.prepare_text(embeds, canvases.lengths)
        predicted = self.transformer(noisy, canvases.t, context).float()
        return self._per_token((predicted - velocity(canvases.clean, canvases.noise)).square())

    def _cells(self, tokens: Tensor) -> Tensor:
        """Values of tokens [B, f, h/ph, w/pw] for every latent cell, [B, 1, f, h, w]."""
        cells = tokens[:, None]
        for axis, size in enumerate(self.patch, start=2):
            cells = cells.repeat_interleave(size, dim=axis)
        return cells

    def _per_token(self, squares: Tensor) -> Tensor:
        """Means [B, f, h/ph, w/pw] over the cells and channels of every token."""
        return F.avg_pool3d(squares.mean(1, keepdim=True), self.patch)[:, 0]

    def _judge(self, place: int, captioned: int, level: float) -> float:
        """Mean squared velocity error of one clip under the caption of the clip `captioned`."""
        return float(self._error(self._judged(place, captioned, level)).mean())

    def _judged(self, place: int, captioned: int, level: float) -> Canvases:
        """One clip of which nothing is known, at fixed noise, under the caption of the clip `captioned`."""
        shape = self._shapes(self.data.manifest.samples[place])[0]
        clean, grid = self._latents([place], shape[0]), self._grid(shape)
        noise = torch.randn(clean.shape, generator=torch_generator(self.seed, "judged", place))
        caption = self._fitting(
            self.data.captions.draw(captioned, numpy_generator(self.seed, "judged", captioned))
        )
        ids, lengths = self.data.tokenizer.pad([caption.tolist()])
        t = torch.full((1, *grid), level)
        nothing = torch.zeros(t.shape, dtype=torch.int64), torch.zeros(*t.shape, 2)
        return Canvases(clean, noise, t, torch.ones_like(t), *nothing, ids, lengths)

    def _shapes(self, sample: Sample) -> list[Shape]:
        """(frames, height, width) of a sample as it is shown in one epoch: cut, then as often a picture as asked."""
        frames, height, width = sample.shape
        cut = min(frames, self.recipe.data.cut or frames)
        pictures = 0 if cut == 1 else self.recipe.data.pictures
        return [(cut, height, width), *[(1, height, width)] * pictures]

    def _grid(self, shape: Shape) -> Grid:
        """The token grid of a clip of (frames, height, width) pixels."""
        temporal, spatial = self.strides
        latent = ((shape[0] - 1) // temporal + 1, shape[1] // spatial, shape[2] // spatial)
        return tuple(n // p for n, p in zip(latent, self.patch, strict=True))  # type: ignore[return-value]

    def _engine(self) -> Engine:
        return Engine(
            transformer=self.transformer,
            vae=self.data.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.data.tokenizer,
            card=card_for(
                self.data.manifest,
                self.shown_compositions,
                self.recipe.data.cut,
                self.recipe.name,
                self.recipe.description,
                self.recipe.sampling,
                self.recipe.data.passes,
            ),
            device=self.device,
        )
