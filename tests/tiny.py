"""Every real model at debug size with random weights, put together into a checkpoint that all verbs run on."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from worldloom.dit import presets as dit_presets
from worldloom.dit.model import Transformer
from worldloom.generate.card import Card, Sampling
from worldloom.generate.engine import Engine
from worldloom.generate.folder import save_checkpoint
from worldloom.text import presets as text_presets
from worldloom.text.encoder import TextEncoder
from worldloom.text.tokenizer import Tokenizer, train_tokenizer
from worldloom.vae import presets as vae_presets
from worldloom.vae.autoencoder import Autoencoder

CAPTIONS = (
    "a red ball bounces on a wooden floor",
    "a blue box slides down a ramp",
    "一个红球在木地板上弹跳",
    "一个蓝色的箱子滑下斜坡",
)
CARD = Card(
    name="debug",
    description="random weights, for tests",
    licence="Apache-2.0",
    recipe="none",
    data="none",
    sizes=((32, 32), (48, 32), (32, 48)),
    fps=16,
    num_frames=(1, 9, 17),
    sampling=Sampling(sampler="euler", num_steps=2, guidance_scale=2.0, shift=3.0),
)


@cache
def tokenizer() -> Tokenizer:
    return train_tokenizer(CAPTIONS, vocab_size=1300)


def autoencoder() -> Autoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Autoencoder(vae_presets.debug()).eval()


def transformer() -> Transformer:
    """A transformer that has left its initial state, in which it predicts nothing and hears no words."""
    channels = vae_presets.debug().z_dim
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = Transformer(replace(dit_presets.debug(), in_channels=channels, out_channels=channels))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def text_encoder() -> TextEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return TextEncoder(text_presets.debug(tokenizer().vocab_size)).eval()


def engine(card: Card = CARD) -> Engine:
    parts = transformer(), autoencoder(), text_encoder()
    for part in parts:
        part.requires_grad_(False)
    return Engine(*parts, tokenizer(), card, torch.device("cpu"))


def shared_checkpoint(factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint folder that the whole test run reads; tests that change one change a copy."""
    folder = factory.getbasetemp() / "debug-model"
    return folder if folder.exists() else checkpoint(folder)


def checkpoint(folder: Path, card: Card = CARD) -> Path:
    """Write the checkpoint folder of `engine`."""
    return save_checkpoint(engine(card), folder, "# debug\n\nRandom weights, for tests.\n")
