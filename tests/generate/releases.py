"""Small random releases: the published kinds in Wan's original names, whole or sharded, with all that belongs to them."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests import tiny
from tests.generate.kinds import random_weights
from worldloom.dit import original as dit_original
from worldloom.dit import presets as dit_presets
from worldloom.dit.model import Transformer
from worldloom.text.image_encoder import PREFIX, ImageEncoder, ImageEncoderConfig
from worldloom.text.original import image_original_name, text_original_name
from worldloom.vae import original as vae_original
from worldloom.vae import presets as vae_presets
from worldloom.vae.autoencoder import Autoencoder

CLIP = ImageEncoderConfig(
    hidden_size=80, intermediate_size=48, num_hidden_layers=2, num_attention_heads=1, image_size=28
)
# What each kind adds to the smallest transformer; `experts` have one file each.
KINDS: dict[str, dict] = {
    "wan2.1-t2v": {},
    "wan2.1-i2v": {"in_channels": 36, "image_size": CLIP.hidden_size},
    "wan2.2-ti2v": {"in_channels": 48, "out_channels": 48},
    "wan2.2-t2v": {"experts": ("high_noise_model", "low_noise_model")},
    "wan2.2-i2v": {"experts": ("high_noise_model", "low_noise_model"), "in_channels": 36},
}
HEADS = {"num_heads": 2}


def write_release(folder: Path, kind: str, shards: int = 1) -> Path:
    """Write a release of that kind, in safetensors where the publisher has pickles."""
    shape = dict(KINDS[kind])
    experts = shape.pop("experts", (".",))
    for seed, name in enumerate(experts):
        model = random_weights(Transformer(replace(dit_presets.debug(), **shape)), seed)
        tensors = {dit_original.original_name(n): t for n, t in model.state_dict().items()}
        write_weights(folder / name, "diffusion_pytorch_model", tensors, shards)
        (folder / name / "config.json").write_text(json.dumps({"_class_name": "WanModel", **HEADS}))
    config = replace(vae_presets.wan22(), base_dim=8, decoder_base_dim=None)
    if kind != "wan2.2-ti2v":
        config = replace(vae_presets.wan21(), base_dim=8)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        vae = Autoencoder(config).state_dict()
    save_file(
        {vae_original.original_name(n, config): t for n, t in vae.items()}, folder / "Wan_VAE.safetensors"
    )
    text = tiny.text_encoder()._tensors()
    save_file({text_original_name(n): t for n, t in text.items()}, folder / "models_t5.safetensors")
    tiny.tokenizer().save(folder / "google" / "umt5-xxl")
    if "image_size" in shape:
        save_file(clip_tensors(), folder / "models_clip.safetensors")
        (folder / "xlm-roberta-large").mkdir()
        (folder / "xlm-roberta-large" / "tokenizer.json").write_text("{}")
    return folder


def write_weights(folder: Path, stem: str, tensors: dict[str, torch.Tensor], shards: int) -> None:
    """Write one safetensors file, or several and the index that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    if shards == 1:
        save_file(tensors, folder / f"{stem}.safetensors")
        return
    places = {}
    for number in range(shards):
        names, file = list(tensors)[number::shards], f"{stem}-{number + 1:05}-of-{shards:05}.safetensors"
        save_file({name: tensors[name] for name in names}, folder / file)
        places |= dict.fromkeys(names, file)
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def clip_tensors() -> dict[str, torch.Tensor]:
    """The picture half in original names, and a little of the half that reads words."""
    ours = random_weights(ImageEncoder(CLIP), seed=5).model.state_dict()
    parts: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in ours.items():
        kept, part, _ = image_original_name(PREFIX + name)
        parts.setdefault(kept, {})[part] = tensor
    joined = {name: torch.cat([found[i] for i in sorted(found)]) for name, found in parts.items()}
    joined["visual.cls_embedding"] = joined["visual.cls_embedding"].view(1, 1, -1)
    joined["visual.pos_embedding"] = joined["visual.pos_embedding"][None]
    words = {"textual.head.weight": torch.ones(2, 2), "log_scale": torch.tensor(1.0)}
    return joined | words | {"visual.head": torch.ones(CLIP.hidden_size, 4)}
