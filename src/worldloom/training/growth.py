"""A trained autoencoder or transformer with more channels or blocks that begins by saying what it said.

Every channel of an autoencoder's stage is divided into equal copies and the weights that read it are shared out among them
(Chen et al. 2016, Net2Net, arXiv 1511.05641). Copies are read by slightly different shares, so that gradients
tell them apart. New latent channels are random features of the encoder that the decoder does not look at yet, and new
blocks add nothing to their input yet. Those of a transformer have their neighbour's weights but for the last layer of
each branch (Wu et al. 2024, LLaMA Pro, arXiv 2401.02415).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from worldloom.core.error import UsageError
from worldloom.dit.model import Transformer
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig

# Deviation of the shares in which copies of a channel are read, around one over their number.
UNEVENNESS = 0.2
# Layers whose output is so many parts one after the other: queries, keys and values; earlier and later frames.
PARTS = {"to_qkv": 3, "upsampler.time_conv": 2}
# Last layers of a transformer block's branches.
BRANCH_ENDS = ("attn1.to_out.", "attn2.to_out.", "ffn.net.2.")
LATENT_LAYERS = ("encoder.conv_out", "quant_conv", "post_quant_conv", "decoder.conv_in")


@torch.no_grad()
def grown(model: Autoencoder, config: AutoencoderConfig) -> Autoencoder:
    """A copy of `model` in the layout `config`, as deep and at least as wide, latents in the model's own basis.

    A wider decoder draws the same; a wider encoder comes only close, since its averaging shortcuts deal channels out
    in another order. Random weights come from torch's global generator.

    Raises:
        UsageError: stages of another number, fewer blocks or channels, or a width that is no multiple of the model's.
    """
    own, channels = model.config.z_dim, config.z_dim
    if channels < own:
        raise UsageError(f"an autoencoder of {own} latent channels cannot grow to {channels}")
    other = Autoencoder(replace(config, latents_mean=(0.0,) * channels, latents_std=(1.0,) * channels))
    state, kept = other.state_dict(), model.state_dict()
    new = state.keys() - kept.keys()
    if kept.keys() - state.keys() or not all(".resnets." in name for name in new):
        raise UsageError(
            f"an autoencoder of stages {model.config.dim_mult} with {model.config.num_res_blocks} blocks cannot "
            f"grow to stages {config.dim_mult} with {config.num_res_blocks}"
        )
    for name in new:
        if ".conv2." in name:
            state[name].zero_()
    for name, tensor in kept.items():
        if not name.startswith(LATENT_LAYERS):
            state[name].copy_(_copied(name, tensor, state[name].shape))
    _add_latents(state, kept, own, channels)
    other.load_state_dict(state)
    return other


@torch.no_grad()
def deepened(model: Transformer, depth: int) -> Transformer:
    """A copy of `model` with `depth` blocks that predicts the same; new ones stand evenly between the old.

    Raises:
        UsageError: fewer blocks than the model has.
    """
    own = model.config.depth
    if depth < own:
        raise UsageError(f"a transformer of {own} blocks cannot grow to {depth}")
    other = Transformer(replace(model.config, depth=depth))
    kept, state = model.state_dict(), other.state_dict()
    sources = [(2 * block + 1) * own // (2 * depth) for block in range(depth)]
    for name, tensor in state.items():
        if not name.startswith("blocks."):
            tensor.copy_(kept[name])
            continue
        _, number, inner = name.split(".", 2)
        source = sources[int(number)]
        tensor.copy_(kept[f"blocks.{source}.{inner}"])
        if source in sources[: int(number)] and inner.startswith(BRANCH_ENDS):
            tensor.zero_()
    other.load_state_dict(state)
    return other


def _copied(name: str, tensor: Tensor, shape: torch.Size) -> Tensor:
    """`tensor` with its output channels copied and its input channels shared out, up to `shape`."""
    copies = _ratio(name, tensor.shape[0], shape[0])
    parts = next((number for layer, number in PARTS.items() if layer in name), 1)
    grown = _tiled(tensor.unflatten(0, (parts, -1)), copies, 1)
    if "to_qkv" in name:
        # Copies make every product of query and key `copies` times as large, of which the layer takes a root.
        grown[0] *= copies**-0.5
    return _shared_out(name, grown.flatten(0, 1), shape)


def _shared_out(name: str, tensor: Tensor, shape: torch.Size) -> Tensor:
    """`tensor` whose input channels, axis 1, are read from equal copies."""
    if not name.endswith(".weight"):
        return tensor
    copies = _ratio(name, tensor.shape[1], shape[1])
    shares = torch.softmax(UNEVENNESS * torch.randn(copies, tensor.shape[1]), dim=0).flatten()
    return _tiled(tensor, copies, 1) * shares.view(-1, *[1] * (tensor.ndim - 2))


def _tiled(tensor: Tensor, copies: int, dim: int) -> Tensor:
    # One whole copy after the other is how the shortcuts between equally widened stages deal channels out.
    return torch.cat([tensor] * copies, dim)


def _ratio(name: str, own: int, wanted: int) -> int:
    if wanted % own:
        raise UsageError(f"{name} has {own} channels, which cannot be divided into {wanted}")
    return wanted // own


def _add_latents(state: dict[str, Tensor], kept: dict[str, Tensor], own: int, channels: int) -> None:
    # The encoder's channels are means, then log-variances; old ones of each half come first.
    rows = torch.cat([torch.arange(own), channels + torch.arange(own)])
    last, first = "encoder.conv_out", "decoder.conv_in"
    state[f"{last}.weight"][rows] = _shared_out(
        f"{last}.weight", kept[f"{last}.weight"], state[f"{last}.weight"].shape
    )
    state[f"{last}.bias"][rows] = kept[f"{last}.bias"]
    for name in ("quant_conv", "post_quant_conv"):
        state[f"{name}.weight"].zero_().flatten(1).fill_diagonal_(1.0)
        state[f"{name}.bias"].zero_()
    state["quant_conv.weight"][rows[:, None], rows] = kept["quant_conv.weight"]
    state["quant_conv.bias"][rows] = kept["quant_conv.bias"]
    state["post_quant_conv.weight"][:own, :own] = kept["post_quant_conv.weight"]
    state["post_quant_conv.bias"][:own] = kept["post_quant_conv.bias"]
    copies = _ratio(first, len(kept[f"{first}.bias"]), len(state[f"{first}.bias"]))
    state[f"{first}.weight"].zero_()[:, :own] = _tiled(kept[f"{first}.weight"], copies, 0)
    state[f"{first}.bias"].copy_(_tiled(kept[f"{first}.bias"], copies, 0))
