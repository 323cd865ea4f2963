"""The basis of an autoencoder's latents: whitened, or scaled by what each direction is worth in pixels.

An encoder's last layer and a decoder's first are linear and act on one cell at a time, so an invertible matrix in
one and its inverse in the other change no reconstruction. What changes is what training sees: directions of small
variance drown in the posterior's noise and never learn, and a transformer spends its loss where variance is.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from worldloom.nn.causal_conv import PointwiseConv3d
from worldloom.vae.autoencoder import Autoencoder

# Share of the mean variance added to every direction, so that one that is nearly unused is not blown up.
RIDGE = 1e-3
# Log-variance of the posterior after whitening: noise of a tenth of a latent's deviation.
WHITE_LOGVAR = -4.5
# Directions whose means vary less than this beside the posterior's noise carry nothing: under half a bit.
DEAD = 1.0
# Deviation of the noise that probes what a latent direction changes in the pixels.
PROBE = 0.1


@torch.no_grad()
def whiten(model: Autoencoder, videos: Iterable[Tensor]) -> None:
    """Give raw latents zero mean and unit covariance over `videos` [1, 3, F, H, W], reconstructions unchanged.

    The matrix is symmetric (ZCA), so that channels keep their meaning. The posterior's log-variance starts anew
    at a constant: its old values belong to the old basis. Dead directions are revived first.
    """
    videos = list(videos)
    revive(model, videos)
    mean, covariance = _moments(model, videos)
    values, vectors = torch.linalg.eigh(covariance)
    scale = (values + RIDGE * values.mean()).rsqrt()
    change_basis(model, (vectors * scale) @ vectors.T, mean)
    weight, bias = _layer(model.quant_conv)
    weight[model.config.z_dim :] = 0
    bias[model.config.z_dim :] = WHITE_LOGVAR


@torch.no_grad()
def revive(model: Autoencoder, videos: Iterable[Tensor]) -> int:
    """Begin anew the latent directions that tell nothing of `videos` [1, 3, F, H, W]; returns how many there are.

    A direction that drowns in the posterior's noise (`DEAD`) is of no use to the decoder, so nothing teaches the
    encoder to fill it again: in the autoencoder of 2026-11-22 ten of 48 were so. The decoder is turned away from
    such directions, and the encoder puts random features there, whose weights come from torch's global generator.
    Reconstructions change by what the dead directions told, which is next to nothing.
    """
    moments = [model.posterior(video) for video in videos]
    means = torch.cat([mean.flatten(2)[0] for mean, _ in moments], dim=1).double()
    noise = torch.cat([logvar.flatten(2)[0] for _, logvar in moments], dim=1).double().exp().mean(1).sqrt()
    ratios, vectors = torch.linalg.eigh(torch.cov(means) / noise / noise[:, None])
    dead = vectors[:, ratios < DEAD]
    if not dead.shape[1]:
        return 0
    told = noise[:, None] * (dead @ dead.T) / noise  # what of a latent lies in dead directions
    weight, bias = _layer(model.post_quant_conv)
    columns = weight.flatten(1).double()
    bias.add_(columns @ told @ means.mean(1))
    weight.copy_((columns - columns @ told).view_as(weight))
    weight, _ = _layer(model.quant_conv)
    fresh = torch.randn(dead.shape[1], weight.shape[1], dtype=torch.float64) * weight.shape[1] ** -0.5
    directions = torch.linalg.qr(noise[:, None] * dead).Q
    weight[: len(noise)].add_((directions @ fresh).view_as(weight[: len(noise)]))
    return dead.shape[1]


@torch.no_grad()
def value_in_pixels(model: Autoencoder, videos: Iterable[Tensor], power: float, seed: int) -> None:
    """Scale latents by what they are worth in pixels to the `power`, reconstructions unchanged.

    With G the mean of J^T J over cells and clips, J being the decoder's derivative, the new basis is that of G's
    eigenvectors, each scaled by its eigenvalue to the power / 2 (1: an error costs the same pixel error in
    every direction; 0: only a rotation), and then all by one number to a mean variance of one.
    """
    gram = torch.zeros(model.config.z_dim, model.config.z_dim, dtype=torch.float64)
    total = torch.zeros_like(gram)
    for number, video in enumerate(videos := list(videos)):
        raw, _ = model.posterior(video)
        plain = model.reconstruct(raw)
        generator = torch.Generator().manual_seed(seed + number)
        field = torch.randn(raw[:, :1].shape, generator=generator) * PROBE
        changes = []
        for channel in range(model.config.z_dim):
            probed = raw.clone()
            probed[:, channel] += field[:, 0]
            changes.append((model.reconstruct(probed) - plain).flatten())
        matrix = torch.stack(changes).double()
        gram += matrix @ matrix.T / matrix.shape[1]
        total += 1
    values, vectors = torch.linalg.eigh(gram / total)
    change_basis(
        model, (vectors * values.clamp_min(1e-12) ** (power / 2)).T.flip(0), _moments(model, videos)[0]
    )
    variance = _moments(model, videos)[1].diagonal().mean()
    change_basis(model, torch.eye(len(gram), dtype=torch.float64) * variance.rsqrt(), torch.zeros(len(gram)))


@torch.no_grad()
def change_basis(model: Autoencoder, matrix: Tensor, origin: Tensor) -> None:
    """Make raw latents z into matrix @ (z - origin), [C, C] and [C], in both halves of the model.

    The log-variance of the posterior is left as it is.
    """
    channels = model.config.z_dim
    matrix, origin = matrix.double(), origin.double()
    weight, bias = (tensor[:channels] for tensor in _layer(model.quant_conv))
    turned = matrix @ weight.flatten(1).double()
    moved = matrix @ (bias.double() - origin)
    weight.copy_(turned.view_as(weight))
    bias.copy_(moved)
    weight, bias = _layer(model.post_quant_conv)
    columns = weight.flatten(1).double()
    bias.add_(columns @ origin)
    weight.copy_((columns @ torch.linalg.inv(matrix)).view_as(weight))


def _layer(layer: PointwiseConv3d) -> tuple[Tensor, Tensor]:
    """(weight, bias) of a layer that has both."""
    assert layer.bias is not None
    return layer.weight, layer.bias


def _moments(model: Autoencoder, videos: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """(mean [C], covariance [C, C]) of the raw latents, in float64."""
    cells = torch.cat([model.posterior(video)[0].flatten(2)[0] for video in videos], dim=1).double()
    return cells.mean(1), torch.cov(cells)
