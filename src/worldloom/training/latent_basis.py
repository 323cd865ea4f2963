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
# Deviation of the noise that probes what a latent direction changes in the pixels.
PROBE = 0.1


@torch.no_grad()
def whiten(model: Autoencoder, videos: Iterable[Tensor]) -> None:
    """Give raw latents zero mean and unit covariance over `videos` [1, 3, F, H, W], reconstructions unchanged.

    The matrix is symmetric (ZCA), so that channels keep their meaning. The posterior's log-variance starts anew
    at a constant: its old values belong to the old basis.
    """
    mean, covariance = _moments(model, videos)
    values, vectors = torch.linalg.eigh(covariance)
    scale = (values + RIDGE * values.mean()).rsqrt()
    change_basis(model, (vectors * scale) @ vectors.T, mean)
    weight, bias = _layer(model.quant_conv)
    weight[model.config.z_dim :] = 0
    bias[model.config.z_dim :] = WHITE_LOGVAR


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
