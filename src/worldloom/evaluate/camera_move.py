"""How a camera moves, from how the picture moves as a whole.

Between two frames the ground under a moving camera shifts by about a polynomial of the place in the picture: what pans,
orbits, cranes and dollies add to a shift are its scale, its shear and what perspective bends. The ten coefficients that
explain a change best are found as optical flow is (Lucas and Kanade 1981, coarse to fine), for the whole picture at once
(Bergen et al. 1992), and what does not follow counts less, so that things which move on their own do not matter. A small
net then reads the move from the coefficients over time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

TERMS = 5
"""Of the polynomial: 1, x, y, y squared and xy."""
BLOCKS = (8, 4)
"""Pixels along the side of what is compared, first and last."""
LEAST = 6
"""Blocks along the shorter side below which there is nothing to compare."""
ROUNDS = 3
"""Times the shift is refined with blocks of one size."""
OUTLIER = 0.5
"""Least usual error in levels of 255: what errs by far more than twice the usual does not follow."""
FEATURE_SCALE = 300.0
"""Brings coefficients, some thousandths of the picture's longer side, to the size of other features."""
PARTS = 4
"""Parts of a clip whose coefficients are told apart."""


class CameraReader(nn.Module):
    """Logits of the camera moves from the drift of a clip's frames."""

    def __init__(self, moves: int, hidden: int = 96, dropout: float = 0.2):
        super().__init__()
        inputs = (3 + PARTS) * 2 * TERMS
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, moves)
        )

    def forward(self, drift: Float[Tensor, "B G 10"]) -> Float[Tensor, "B moves"]:
        """Drift between neighbouring frames as `drift_of_frames` gives it; none at all counts as standing still."""
        if drift.shape[1] == 0:
            drift = drift.new_zeros(len(drift), 1, 2 * TERMS)
        parts = F.adaptive_avg_pool1d(drift.transpose(1, 2), PARTS).flatten(1)
        spread = drift.std(1, correction=0)
        told = torch.cat([drift.mean(1), drift.median(1).values, spread, parts], 1)
        return self.net(torch.asinh(FEATURE_SCALE * told))


@torch.no_grad()
def drift_of_frames(frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "G 10"]:
    """Return how the picture as a whole moves from every frame to the next, [F - 1, 10], of frames in [-1, 1].

    Five coefficients across and five down, of the shift in longer sides of the picture, over places from -1 to 1 along
    the longer side.
    """
    longer = max(frames.shape[-2:])
    drift = frames.new_zeros(max(0, len(frames) - 1), 2 * TERMS)
    if not len(drift):
        return drift
    for block in BLOCKS:
        if min(frames.shape[-2:]) < LEAST * block:
            continue
        small = 127.5 * F.avg_pool2d(frames, block)
        terms = _terms(*small.shape[-2:])
        for _ in range(ROUNDS):
            shift = (drift.view(-1, 2, TERMS) @ terms.flatten(1)).unflatten(-1, terms.shape[1:])
            drift = (
                drift + _left(small[:-1], _moved(small[1:], shift * longer / block), terms) * block / longer
            )
    return drift


def mirrored_drift(drift: Tensor) -> Tensor:
    """Return the drift of the mirrored clip."""
    signs = torch.tensor([-1, 1, -1, -1, 1, 1, -1, 1, 1, -1]).to(drift)
    return drift * signs


def _terms(height: int, width: int) -> Float[Tensor, "5 h w"]:
    longer = max(height, width)
    y, x = torch.meshgrid(
        (2 * torch.arange(height) + 1 - height) / longer,
        (2 * torch.arange(width) + 1 - width) / longer,
        indexing="ij",
    )
    return torch.stack([torch.ones_like(x), x, y, y * y, x * y])


def _moved(picture: Float[Tensor, "G 3 h w"], shift: Float[Tensor, "G 2 h w"]) -> Float[Tensor, "G 3 h w"]:
    """The picture read at every place plus its shift (x, y), in its own pixels."""
    height, width = picture.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    across = (columns + shift[:, 0] + 0.5) * (2 / width) - 1
    down = (rows + shift[:, 1] + 0.5) * (2 / height) - 1
    places = torch.stack([across, down], -1)
    return F.grid_sample(picture, places, padding_mode="border", align_corners=False)


def _left(one: Tensor, other: Tensor, terms: Tensor) -> Float[Tensor, "G 10"]:
    """The coefficients, in pixels, of the shift that is left between two pictures, what does not follow weighing less."""
    middle, change = (one + other) / 2, (other - one)[:, :, 1:-1, 1:-1]
    across = (middle[:, :, 1:-1, 2:] - middle[:, :, 1:-1, :-2]) / 2
    down = (middle[:, :, 2:, 1:-1] - middle[:, :, :-2, 1:-1]) / 2
    inner = terms[:, 1:-1, 1:-1].movedim(0, -1)
    slopes = torch.cat([across[..., None] * inner, down[..., None] * inner], -1).flatten(1, 3)
    wanted = -change.flatten(1)
    found = slopes.new_zeros(len(slopes), slopes.shape[-1])
    for _ in range(ROUNDS):
        missed = (slopes @ found[..., None])[..., 0] - wanted
        usual = 2 * missed.abs().median(1, keepdim=True).values.clamp_min(OUTLIER)
        weighed = slopes / (1 + (missed / usual).square())[..., None]
        products = weighed.mT @ slopes
        stiff = 1e-3 * products.diagonal(dim1=1, dim2=2).mean(1) + 1e-3
        products = products + stiff[:, None, None] * torch.eye(products.shape[-1])
        found = torch.linalg.solve(products, weighed.mT @ wanted[..., None])[..., 0]
    return found
