"""The objective of the autoencoder: give the pixels back.

Small random windows of clips and pictures (a picture is a one-frame video) are encoded, sampled and decoded. On
held-out clips the whole frame is judged, with the averaged weights: PSNR overall and where something moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from worldloom.core.picture import write_picture
from worldloom.core.seed import numpy_generator, torch_generator
from worldloom.core.sheet import contact_sheet
from worldloom.data.bucket import Batch, BatchPlan
from worldloom.data.dataset import ClipDataset, CropConfig, Window
from worldloom.data.manifest import Manifest
from worldloom.training.growth import grown
from worldloom.training.guard import GuardConfig
from worldloom.training.latent_basis import whiten
from worldloom.training.objective import Surroundings, TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.pixel import moving_pixels, psnr, to_bytes, to_video
from worldloom.training.schedule import ScheduleConfig
from worldloom.training.subjects import MovingThings
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig
from worldloom.vae.feedback import amended
from worldloom.vae.losses import LossWeights, loss

# Clips whose latents are whitened: 64 windows of five latent frames of 8x8 cells give each covariance 20,000 cells.
MEASURED_CLIPS = 64


@dataclass(frozen=True)
class ClipDataConfig:
    """Which clips, in which windows, how many at once.

    `batch_pixels` is the budget of one batch in pixels over all frames; `heldout_permille` of the scenes are
    kept from training and `evaluated` of those are judged.
    """

    folders: tuple[str, ...]
    crop: CropConfig
    batch_pixels: int
    heldout_permille: int = 20
    evaluated: int = 16


@dataclass(frozen=True)
class AutoencoderRecipe:
    """A complete autoencoder run.

    `start_from` names a folder with `vae/` weights to begin with, or is empty. Begun so, a model narrower or shallower
    than `model` grows into it, and `whiten` gives its latents unit covariance first. With more
    `passes` than one it learns to encode in so many (see `worldloom.vae.feedback`), and in fewer.
    """

    name: str
    model: AutoencoderConfig
    data: ClipDataConfig
    loss: LossWeights
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    guard: GuardConfig
    trainer: TrainerConfig
    start_from: str = ""
    whiten: bool = False
    passes: int = 1

    def build(self, surroundings: Surroundings) -> "Reconstruction":
        """The objective with freshly initialised (or given) weights."""
        return Reconstruction(self, surroundings)


@dataclass(frozen=True)
class Clips:
    """uint8 windows [B, F, H, W, 3], their places in the global batch, and how near things that move are."""

    frames: np.ndarray
    positions: Sequence[int]
    near: np.ndarray | None = None


class Reconstruction:
    """Reconstruction loss of an autoencoder over a clip dataset."""

    plain = ("encoder.conv_in", "decoder.conv_out", "quant_conv")
    figures = ("pixel", "square", "edge", "kl")

    def __init__(self, recipe: AutoencoderRecipe, surroundings: Surroundings) -> None:
        self.recipe, self.seed, self.device = recipe, surroundings.seed, surroundings.parallel.device
        training, heldout = Manifest.load(recipe.data.folders).split(recipe.data.heldout_permille)
        crop = recipe.data.crop
        self.things = MovingThings(training) if recipe.loss.things != 1 else None
        self.dataset = ClipDataset(training, crop, self.seed, self._worth if self.things else None)
        self.heldout = ClipDataset(heldout, CropConfig(), self.seed)
        self.plan = BatchPlan(
            self.dataset.shapes(), recipe.data.batch_pixels, lambda s: s[0] * s[1] * s[2], self.seed
        )
        self.model = self._initial()
        self.module: nn.Module = self.model

    def prepare(self, batch: Batch, positions: Sequence[int]) -> Clips:
        """Decode and crop the samples at `positions` of the batch."""
        indices = [int(batch.indices[p]) for p in positions]
        windows, clips = zip(*(self.dataset.windowed(index, batch.epoch) for index in indices), strict=True)
        if self.things is None:
            return Clips(np.stack(clips), positions)
        near = [self.things.near(index, window) for index, window in zip(indices, windows, strict=True)]
        return Clips(np.stack(clips), positions, np.stack(near))

    def loss(self, prepared: Clips, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss over the clips, with one posterior sample each."""
        video = to_video(prepared.frames, self.device)
        near = None if prepared.near is None else torch.from_numpy(prepared.near)[:, None].to(self.device)
        noise = torch.stack(
            [
                torch.randn(
                    self._latent_shape(video), generator=torch_generator(self.seed, "posterior", step, p)
                )
                for p in prepared.positions
            ]
        ).to(self.device)
        losses, figures, shown = [], {}, video
        for _ in range(self.recipe.passes):
            mean, logvar = (moment.float() for moment in self.model.posterior(shown))
            output = self.model.reconstruct(mean + torch.exp(0.5 * logvar) * noise).float()
            part, figures = loss(video, output, mean, logvar, self.recipe.loss, near)
            losses.append(part)
            shown = amended(shown, video, output)
        return torch.stack(losses).mean(), {name: figures[name] for name in self.figures}

    def tokens(self, batch: Batch) -> int:
        """Pixels of the batch over all frames."""
        return len(batch.indices) * int(np.prod(batch.shape))

    def evaluate(self, folder: Path, step: int) -> dict[str, float]:
        """PSNR in dB over held-out samples, overall and on moving pixels; a sheet of originals and copies."""
        if not len(self.heldout):
            return {}
        chosen = numpy_generator(self.seed, "heldout").permutation(len(self.heldout))
        overall, moving, rows = [], [], []
        for index in chosen[: self.recipe.data.evaluated]:
            frames = self.heldout.frames(int(index))
            copy = to_bytes(self._copy(frames))
            overall.append(psnr(frames, copy))
            if (mask := moving_pixels(frames)).any():
                moving.append(psnr(frames, copy, mask))
            rows += [frames, copy]
        self._write_sheet(folder, step, rows)
        figures = {"psnr": float(np.mean(overall))}
        return figures | ({"psnr_moving": float(np.mean(moving))} if moving else {})

    def write_weights(self, folder: Path) -> None:
        """Write `vae/`."""
        self.model.save(folder / "vae")

    def close(self) -> None:
        """Close the shards."""
        self.dataset.close()
        self.heldout.close()

    def _initial(self) -> Autoencoder:
        with torch.random.fork_rng():
            torch.manual_seed(torch_generator(self.seed, "weights").initial_seed())
            if not self.recipe.start_from:
                return Autoencoder(self.recipe.model)
            model = Autoencoder.load(Path(self.recipe.start_from) / "vae")
            model = grown(model, self.recipe.model)
        if self.recipe.whiten:
            whiten(model, self._measured())
        return model.train().requires_grad_(True)

    def _latent_shape(self, video: Tensor) -> tuple[int, ...]:
        frames, height, width = video.shape[2:]
        t, s = self.model.temporal_stride, self.model.spatial_stride
        return self.model.latent_channels, (frames - 1) // t + 1, height // s, width // s

    def _worth(self, index: int, window: Window, frames: np.ndarray) -> float:
        """Change from frame to frame near things that move, on every other pixel."""
        assert self.things is not None
        change = np.abs(np.diff(frames[:, ::2, ::2].astype(np.int16), axis=0)).sum(-1)
        return float((change * self.things.near(index, window)[1:, ::2, ::2]).sum())

    def _measured(self) -> Iterator[Tensor]:
        """Clips [1, 3, F, H, W] over which the latents' statistics are taken."""
        order = numpy_generator(self.seed, "measured").permutation(len(self.dataset))
        for index in order[:MEASURED_CLIPS]:
            yield to_video(self.dataset.cropped(int(index), 0)[None])

    def _copy(self, frames: np.ndarray) -> Tensor:
        video = to_video(frames[None], self.device)
        output = shown = video
        for _ in range(self.recipe.passes):
            mean, _ = self.model.posterior(shown)
            output = self.model.reconstruct(mean)
            shown = amended(shown, video, output)
        return output[0].float()

    def _write_sheet(self, folder: Path, step: int, rows: list[np.ndarray]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        clips = [clip for clip in rows if len(clip) > 1][:16] or rows[:16]
        write_picture(folder / f"step-{step:08d}-reconstruction.png", contact_sheet(clips), force=True)
