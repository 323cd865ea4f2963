"""A run's averaged weights become a checkpoint to ship: named, described, in bf16."""

from dataclasses import replace
from pathlib import Path

import torch

from worldloom.core.error import UsageError
from worldloom.generate.card import Sampling
from worldloom.generate.folder import load_checkpoint, save_checkpoint
from worldloom.training.latents import latents_hash
from worldloom.vae.autoencoder import Autoencoder


def export(
    source: Path,
    target: Path,
    name: str,
    description: str,
    readme: str,
    vae: Path | None = None,
    fast: tuple[Path, Sampling] | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Path:
    """Write the checkpoint folder `source` (a run's `ema`) to `target`, which must be new or empty.

    Args:
        name: what users call the model.
        description: one sentence for `worldloom.json`.
        readme: the model card in Markdown.
        vae: a folder with an autoencoder whose decoder was trained further; its encoder must be the same.
        fast: an adapter for few steps (`worldloom models difference`), and how to sample with it.
        dtype: number format of the weights on disk.

    Raises:
        UsageError: the other autoencoder has another encoder, so its latents mean something else.
    """
    engine = load_checkpoint(source, torch.device("cpu"), torch.float32)
    if vae is not None:
        engine.vae = _same_latents(engine.vae, Autoencoder.load(vae), engine.card.encode_passes)
    for part in (engine.transformer, engine.vae, engine.text_encoder):
        part.to(dtype)
    adapter, sampling = fast or (None, None)
    engine.card = replace(engine.card, name=name, description=description, fast=sampling)
    return save_checkpoint(engine, target, readme, adapter)


def _same_latents(trained_with: Autoencoder, other: Autoencoder, passes: int) -> Autoencoder:
    """`other` with the statistics that the transformer was trained with."""
    if latents_hash(trained_with, passes) != latents_hash(other, passes):
        raise UsageError(
            "the other autoencoder makes other latents than the one the transformer was trained with; only its "
            "decoder may be trained further, and not where the decoder takes part in encoding, in passes after the first"
        )
    other.set_statistics(trained_with.latents_mean.flatten(), trained_with.latents_std.flatten())
    return other
