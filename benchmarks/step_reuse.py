"""What step reuse saves and costs: the same clip with every step computed, and with thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.pairs import PROMPT, SEED, Setting
from worldloom.generate.folder import find_folder, load_checkpoint
from worldloom.generate.request import check_style
from worldloom.generate.size import Size


@dataclass(frozen=True)
class Saving:
    """One threshold: computed steps of all, seconds of the sampler against those of the full run, PSNR of the frames
    against the full run's in dB, and what the run itself estimates of its latents."""

    threshold: float
    steps: int
    computed: int
    seconds: float
    ratio: float
    decibels: float
    estimated: float


@torch.inference_mode()
def sweep(
    setting: Setting, thresholds: Sequence[float], num_steps: int, clock: Callable[[], float]
) -> Iterator[Saving]:
    """Yield each threshold's saving on one clip of the checkpoint's own size; the full run is painted first."""
    if not thresholds:
        return
    engine = load_checkpoint(find_folder(setting.model), setting.device, setting.dtype)
    canvas = engine.canvas(Size(*engine.card.sizes[0]), engine.card.longest)

    def paint(threshold: float) -> tuple[float, torch.Tensor]:
        style = check_style(engine.card, PROMPT, seed=SEED, steps=num_steps, reuse=threshold)
        words = engine.read(style)
        start = clock()
        latents = engine.paint(canvas, words, style)
        if setting.device.type == "cuda":
            torch.cuda.synchronize()
        return clock() - start, engine.vae.decode(latents.to(setting.dtype)).float()

    seconds, full = paint(0.0)
    for threshold in thresholds:
        spent, video = paint(threshold)
        reused = engine.reused.pop()
        error = float((video - full).square().mean())
        psnr = float("inf") if error == 0 else float(10 * torch.log10(torch.tensor(4 / error)))
        yield Saving(
            threshold, reused.calls, reused.evaluations, spent, seconds / spent, psnr, reused.decibels
        )
