"""A trained transformer put on the latents of another autoencoder.

What a transformer knows of worlds and words sits in its blocks; only its first and last layers speak the latents'
basis. They are translated by the linear maps that best turn one autoencoder's latents of the same clips into the
other's, and directions the old latents knew nothing of start from random weights.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from worldloom.dit.model import Transformer
from worldloom.vae.autoencoder import Autoencoder

# Ridge of the fits, as a share of the mean variance: clips of few worlds leave some directions nearly unused.
RIDGE = 1e-2


@torch.no_grad()
def transplanted(
    transformer: Transformer, old: Autoencoder, new: Autoencoder, videos: Sequence[Tensor]
) -> Transformer:
    """A copy of `transformer`, trained on latents of `old`, for those of `new`; `videos` are [1, 3, F, H, W].

    The autoencoders must have equal strides. Random weights come from torch's global generator.
    """
    before, after = (
        torch.cat([vae.encode(video).flatten(2)[0] for video in videos], dim=1) for vae in (old, new)
    )
    inward, outward = linear_map(after, before), linear_map(before, after)
    channels = new.config.z_dim
    config = replace(transformer.config, in_channels=channels, out_channels=channels)
    other = Transformer(config)
    weights = dict(transformer.state_dict())
    embedding = weights["patch_embedding.weight"]
    unseen = torch.eye(channels) - torch.linalg.pinv(inward) @ inward
    fresh = other.patch_embedding.weight.detach()
    weights["patch_embedding.weight"] = torch.einsum("dcfhw,ce->defhw", embedding, inward) + torch.einsum(
        "dcfhw,ce->defhw", fresh, unseen
    )
    for name in ("proj_out.weight", "proj_out.bias"):
        # Rows of the last layer run over the cells of a patch, then over channels.
        rows = weights[name].unflatten(0, (-1, old.config.z_dim))
        weights[name] = torch.einsum("pc...,ec->pe...", rows, outward).flatten(0, 1)
    other.load_state_dict(weights)
    return other


def linear_map(source: Tensor, target: Tensor) -> Tensor:
    """The matrix [C', C] that best turns the columns of source [C, M] into those of target [C', M]."""
    gram = source @ source.T
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    return torch.linalg.solve(gram + ridge, source @ target.T).T
