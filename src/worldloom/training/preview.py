"""What the transformer paints while it trains: held-out captions and first frames, beside the real clips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from worldloom.core.picture import write_picture
from worldloom.core.sheet import contact_sheet
from worldloom.data.dataset import LANGUAGES, ClipDataset
from worldloom.generate.canvas import blank_canvas
from worldloom.generate.engine import Engine
from worldloom.generate.request import Style
from worldloom.training.parts import Data


@dataclass(frozen=True)
class PreviewConfig:
    """How many clips are painted from a caption and how many from a caption and the first frame."""

    from_text: int = 4
    from_picture: int = 2
    num_steps: int = 16
    guidance_scale: float = 2.5


def write_preview(
    config: PreviewConfig, engine: Engine, data: Data, places: list[int], folder: Path, step: int
) -> None:
    """Write `step-N-text.png` and `step-N-picture.png`: rows of a real clip and the painted one below it."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = ClipDataset(data.manifest)
    groups = {"text": places[: config.from_text], "picture": places[: config.from_picture]}
    for kind, chosen in groups.items():
        rows = []
        for number, place in enumerate(chosen):
            language = LANGUAGES[number % len(LANGUAGES)]
            prompt = dataset.captions(place)[language]["short"][0]
            known = 1 if kind == "picture" else 0
            rows += [dataset.frames(place), _paint(config, engine, data, place, prompt, known)]
        if rows:
            write_picture(folder / f"step-{step:08d}-{kind}.png", contact_sheet(rows), force=True)
    dataset.close()


def _paint(
    config: PreviewConfig, engine: Engine, data: Data, place: int, prompt: str, known: int
) -> np.ndarray:
    """uint8 [F, H, W, 3] of one clip with its first `known` latent frames given."""
    raw = torch.from_numpy(data.latents.raw(place).astype(np.float32))[None].to(engine.device)
    latents = data.vae.normalise(raw)
    canvas = blank_canvas(latents.shape[1], tuple(latents.shape[2:]), device=engine.device)  # type: ignore[arg-type]
    canvas = canvas.keep_prefix(latents[:, :, :known]) if known else canvas
    sampling = engine.card.sampling
    style = Style(
        prompt=prompt,
        negative="",
        guidance_scale=config.guidance_scale,
        num_steps=config.num_steps,
        shift=sampling.shift,
        sampler=sampling.sampler,
        seed=place,
    )
    return np.concatenate(list(engine.decode(engine.paint(canvas, engine.read(style), style))))
