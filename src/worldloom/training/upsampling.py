"""The objective of the upsampler: renders at full size from the same renders averaged to half of it.

Averaging two by two pixels is what a renderer with four times the samples would show at half the size. A little
noise and blur on some of the small clips stands for what an autoencoder does to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.error import UsageError
from worldloom.core.picture import write_picture
from worldloom.core.seed import numpy_generator, torch_generator
from worldloom.core.sheet import contact_sheet
from worldloom.data.bucket import Batch, BatchPlan
from worldloom.data.dataset import ClipDataset, CropConfig
from worldloom.data.manifest import Manifest
from worldloom.generate.upsampler import FACTOR, Upsampler, UpsamplerConfig
from worldloom.nn.lanczos import lanczos
from worldloom.training.guard import GuardConfig
from worldloom.training.objective import Surroundings, TrainerConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.pixel import psnr, to_bytes, to_video
from worldloom.training.reconstruction import ClipDataConfig
from worldloom.training.schedule import ScheduleConfig
from worldloom.vae.losses import charbonnier


@dataclass(frozen=True)
class WearConfig:
    """In `share` of the clips the small version carries noise of deviation up to `noise` (of [-1, 1])."""

    share: float = 0.5
    noise: float = 0.03


@dataclass(frozen=True)
class UpsamplingRecipe:
    """A complete upsampler run; clips in `data` are large, their halves are made here.

    `start_from` names a folder with an `upsampler` in it to begin with, or is empty.
    """

    name: str
    model: UpsamplerConfig
    data: ClipDataConfig
    wear: WearConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    guard: GuardConfig
    trainer: TrainerConfig
    start_from: str = ""

    def build(self, surroundings: Surroundings) -> "Upsampling":
        """The objective with freshly initialised weights, or those to begin with."""
        return Upsampling(self, surroundings)


@dataclass(frozen=True)
class Clips:
    """uint8 windows [B, F, H, W, 3], and noise deviations [B] for their halves."""

    frames: np.ndarray
    noise: np.ndarray


class Upsampling:
    """Charbonnier loss of an upsampler over large clips."""

    plain = ("conv_in", "conv_out")
    figures = ("lanczos",)

    def __init__(self, recipe: UpsamplingRecipe, surroundings: Surroundings) -> None:
        self.recipe, self.seed, self.device = recipe, surroundings.seed, surroundings.parallel.device
        training, heldout = Manifest.load(recipe.data.folders).split(recipe.data.heldout_permille)
        self.dataset = ClipDataset(training, recipe.data.crop, self.seed)
        self.heldout = ClipDataset(heldout, CropConfig(), self.seed)
        self.plan = BatchPlan(
            self.dataset.shapes(), recipe.data.batch_pixels, lambda s: s[0] * s[1] * s[2], self.seed
        )
        with torch.random.fork_rng():
            torch.manual_seed(torch_generator(self.seed, "weights").initial_seed())
            self.model = Upsampler(recipe.model)
        if recipe.start_from:
            begun = Upsampler.load(Path(recipe.start_from) / "upsampler")
            if begun.config != recipe.model:
                raise UsageError(
                    f"{recipe.start_from} holds an upsampler of {begun.config}, the recipe has {recipe.model}"
                )
            self.model.load_state_dict(begun.state_dict())
        self.module: nn.Module = self.model

    def prepare(self, batch: Batch, positions: Sequence[int]) -> Clips:
        """Decode and crop the samples at `positions` of the batch, and draw how worn each is."""
        clips = [self.dataset.cropped(int(batch.indices[p]), batch.epoch) for p in positions]
        wear = self.recipe.wear
        draws = [numpy_generator(self.seed, "wear", batch.step, p).random(2) for p in positions]
        noise = [wear.noise * amount if worn < wear.share else 0.0 for worn, amount in draws]
        return Clips(np.stack(clips), np.asarray(noise, np.float32))

    def loss(self, prepared: Clips, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Charbonnier error of the enlarged halves; beside it Lanczos's own."""
        video = to_video(prepared.frames, self.device)
        small = halved(video)
        grain = torch.randn(small.shape, generator=torch_generator(self.seed, "grain", step)).to(small)
        worn = small + grain * torch.from_numpy(prepared.noise).to(small).view(-1, 1, 1, 1, 1)
        everywhere = torch.ones_like(video[:, :1])
        with torch.no_grad():
            plain = charbonnier(lanczos(worn, *video.shape[-2:]) - video, everywhere)
        return charbonnier(self.model(worn).float() - video, everywhere), {"lanczos": plain}

    def tokens(self, batch: Batch) -> int:
        """Pixels of the batch over all frames, at the large size."""
        return len(batch.indices) * int(np.prod(batch.shape))

    def evaluate(self, folder: Path, step: int) -> dict[str, float]:
        """PSNR in dB over held-out clips, and by how much it is above Lanczos; a sheet of both beside the clip."""
        chosen = numpy_generator(self.seed, "heldout").permutation(len(self.heldout))
        ours, plain, rows = [], [], []
        for index in chosen[: self.recipe.data.evaluated]:
            frames = self.heldout.frames(int(index))
            small = halved(to_video(frames[None], self.device))
            copies = [to_bytes(copy[0]) for copy in (lanczos(small, *frames.shape[1:3]), self.model(small))]
            plain.append(psnr(frames, copies[0]))
            ours.append(psnr(frames, copies[1]))
            rows += [frames[:4], copies[0][:4], copies[1][:4]]
        if not ours:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        write_picture(folder / f"step-{step:08d}.png", contact_sheet(rows[:12]), force=True)
        return {"psnr": float(np.mean(ours)), "over_lanczos": float(np.mean(ours) - np.mean(plain))}

    def write_weights(self, folder: Path) -> None:
        """Write `upsampler/`."""
        self.model.save(folder / "upsampler")

    def close(self) -> None:
        """Close the shards."""
        self.dataset.close()
        self.heldout.close()


def halved(video: Tensor) -> Tensor:
    """[B, 3, F, H, W] averaged to half its height and width."""
    return F.avg_pool3d(video, (1, FACTOR, FACTOR))
