"""Original names of both released autoencoders: against diffusers' converter, and against the release's own tree."""

from dataclasses import replace

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

from worldloom.core.error import UsageError
from worldloom.vae import presets
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig
from worldloom.vae.original import config_from_original, original_name


def meta_shapes(config: AutoencoderConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(t.shape) for name, t in Autoencoder(config).state_dict().items()}


def test_wan21_names_are_those_that_diffusers_converts_back() -> None:
    ours = meta_shapes(presets.wan21())
    marked = {original_name(name, presets.wan21()): torch.tensor(i) for i, name in enumerate(ours)}
    assert convert_wan_vae_to_diffusers(marked) == {name: torch.tensor(i) for i, name in enumerate(ours)}


def residual_names(block: str, shortcut: bool) -> set[str]:
    names = {f"{block}.residual.{i}.gamma" for i in (0, 3)}
    names |= {f"{block}.residual.{i}.{kind}" for i in (2, 6) for kind in ("weight", "bias")}
    return names | ({f"{block}.shortcut.{kind}" for kind in ("weight", "bias")} if shortcut else set())


def wan22_names() -> set[str]:
    """The tree of the release's `WanVAE_`, written down from its constructor."""
    both = ("weight", "bias")
    names = {f"{conv}.{kind}" for conv in ("conv1", "conv2") for kind in both}
    for half in ("encoder", "decoder"):
        names |= {f"{half}.{layer}.{kind}" for layer in ("conv1", "head.2") for kind in both} | {
            f"{half}.head.0.gamma"
        }
        names |= residual_names(f"{half}.middle.0", False) | residual_names(f"{half}.middle.2", False)
        names |= {f"{half}.middle.1.{layer}.{kind}" for layer in ("to_qkv", "proj") for kind in both}
        names |= {f"{half}.middle.1.norm.gamma"}
    # stage: blocks, which of them changes the width first, and whether it resamples in space and in time
    stages = {
        "encoder.downsamples": [(2, False, True, False), (2, True, True, True), (2, True, True, True), (2, False, False, False)],
        "decoder.upsamples": [(3, False, True, True), (3, False, True, True), (3, True, True, False), (3, True, False, False)],
    }  # fmt: skip
    for row, kinds in stages.items():
        for i, (blocks, widens, resamples, in_time) in enumerate(kinds):
            inner = f"{row}.{i}.{row.split('.')[1]}"
            for block in range(blocks):
                names |= residual_names(f"{inner}.{block}", widens and block == 0)
            if resamples:
                names |= {f"{inner}.{blocks}.resample.1.{kind}" for kind in both}
            if in_time:
                names |= {f"{inner}.{blocks}.time_conv.{kind}" for kind in both}
    return names


def test_wan22_names_are_the_releases() -> None:
    config = presets.wan22()
    assert {original_name(name, config) for name in meta_shapes(config)} == wan22_names()


@pytest.mark.parametrize("preset", [presets.wan21, presets.wan22])
@pytest.mark.parametrize("widths", [{}, {"base_dim": 8}])
def test_sizes_are_read_from_shapes(preset, widths) -> None:
    config = replace(preset(), **widths)
    shapes = meta_shapes(config)
    assert len({original_name(name, config) for name in shapes}) == len(shapes)
    assert config_from_original({original_name(n, config): s for n, s in shapes.items()}) == config


def test_unknown_latents_are_refused() -> None:
    config = replace(presets.wan21(), base_dim=8, z_dim=4, latents_mean=(0.0,) * 4, latents_std=(1.0,) * 4)
    shapes = {original_name(name, config): shape for name, shape in meta_shapes(config).items()}
    with pytest.raises(UsageError, match="16 latent channels, this one has 4"):
        config_from_original(shapes)
    del shapes["conv2.weight"]
    with pytest.raises(UsageError, match=r"no 'conv2\.weight'"):
        config_from_original(shapes)
