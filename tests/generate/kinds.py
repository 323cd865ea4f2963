"""An engine of random weights for every kind of published Wan checkpoint, at debug size."""

from dataclasses import replace

import torch

from tests import tiny
from worldloom.dit import presets as dit_presets
from worldloom.dit.config import TransformerConfig
from worldloom.dit.model import Transformer
from worldloom.generate.engine import Engine
from worldloom.text.image_encoder import ImageEncoder, ImageEncoderConfig
from worldloom.vae import presets as vae_presets

CHANNELS = vae_presets.debug().z_dim
STACKED = 2 * CHANNELS + 4
CLIP = ImageEncoderConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=28
)


def transformer(seed: int, **more) -> Transformer:
    channels = {"in_channels": CHANNELS, "out_channels": CHANNELS}
    config: TransformerConfig = replace(dit_presets.debug(), **channels | more)
    return random_weights(Transformer(config), seed)


def image_encoder() -> ImageEncoder:
    return random_weights(ImageEncoder(CLIP), seed=5)


def random_weights(module, seed: int):
    """Every parameter random, none of them near an initial state in which nothing is heard."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return module.eval().requires_grad_(False)


KINDS = {
    "words, a level for every token": {},  # Wan 2.2 TI2V-5B, and tiny
    "words": {"per_token": False},  # Wan 2.1 T2V
    "words, two experts": {"per_token": False, "refiner": {}, "boundary": 0.875},  # Wan 2.2 A14B T2V
    "pictures": {"per_token": False, "in_channels": STACKED, "image_size": CLIP.hidden_size},  # Wan 2.1 I2V
    "pictures, two experts": {  # Wan 2.2 A14B I2V
        "per_token": False,
        "in_channels": STACKED,
        "refiner": {},
        "boundary": 0.9,
    },
}


def engine(kind: str) -> Engine:
    facts = dict(KINDS[kind])
    shape = {name: facts.pop(name) for name in ("in_channels", "image_size") if name in facts}
    parts = {"transformer": transformer(2, **shape)}
    if "refiner" in facts:
        parts["refiner"] = transformer(3, **shape)
    if "image_size" in shape:
        parts["image_encoder"] = image_encoder()
    return replace(tiny.engine(), **facts | parts)
