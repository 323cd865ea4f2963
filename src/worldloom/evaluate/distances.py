"""Distances between two sets of feature vectors, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from worldloom.core.seed import numpy_generator

HALVES = 200
"""Half-samples from which an interval is made."""

Features = Float[np.ndarray, "_N D"]


def frechet(first: Features, second: Features) -> float:
    """Return the Frechet distance of the Gaussians fitted to two sets: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    As in FID (Heusel et al. 2017): with fewer vectors than dimensions it is too large, so it is only to be compared
    with distances of sets of the same sizes. Raises ValueError for fewer than 2 vectors.
    """
    _check(first, second)
    shift = first.mean(axis=0) - second.mean(axis=0)
    one, two = (_triangle((x - x.mean(axis=0)) / np.sqrt(len(x) - 1)) for x in (first, second))
    # With C1 = A'A and C2 = B'B, the trace of (C1 C2)^(1/2) is the sum of the singular values of A B'. The triangular
    # factors do for A and B, and have no more rows than there are dimensions.
    both = np.linalg.svd(one @ two.T, compute_uv=False).sum()
    return float(shift @ shift + (one**2).sum() + (two**2).sum() - 2 * both)


def _triangle(rows: np.ndarray) -> np.ndarray:
    """Return R of rows = Q R, for which R'R is rows'rows."""
    factor = np.asarray(np.linalg.qr(rows, mode="r"))
    return factor


def mmd(first: Features, second: Features) -> float:
    """Return the squared maximum mean discrepancy under the kernel (x.y / D + 1)^2, without bias.

    The polynomial kernel of JEDi (Luo et al. 2024), which needs far fewer clips than a Frechet distance. Around 0,
    also below, for sets of one distribution. Raises ValueError for fewer than 2 vectors.
    """
    _check(first, second)
    within = [_off_diagonal_mean(_kernel(x, x)) for x in (first, second)]
    return float(sum(within) - 2 * _kernel(first, second).mean())


def half_sample_interval(
    distance: Callable[[np.ndarray, np.ndarray], float], first: Features, second: Features
) -> tuple[float, float] | None:
    """Return the 95 % interval of a distance from 200 random halves of both sets; None for fewer than 4 vectors.

    A bootstrap draws vectors twice, which such distances take for a smaller spread. Halves drawn without repeats vary
    as much about their mean as whole sets do, and the interval is their spread about the distance of the whole sets.
    """
    if min(len(first), len(second)) < 4:
        return None
    rng = numpy_generator("half samples", len(first), len(second))
    drawn = []
    for _ in range(HALVES):
        one, two = (rng.permutation(len(x))[: len(x) // 2] for x in (first, second))
        drawn.append(distance(first[one], second[two]))
    low, high = np.quantile(drawn, [0.025, 0.975]) - np.mean(drawn)
    whole = distance(first, second)
    return whole + float(low), whole + float(high)


def mean_pairwise(features: Features) -> float:
    """Return the mean Euclidean distance between the vectors of a set, over the square root of their dimension."""
    if len(features) < 2:
        raise ValueError(f"a pairwise distance needs 2 vectors, not {len(features)}")
    distances = np.linalg.norm(features[:, None] - features[None], axis=-1)
    return _off_diagonal_mean(distances) / float(np.sqrt(features.shape[1]))


def _check(first: Features, second: Features) -> None:
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a distance needs 2 vectors in each set, not {len(first)} and {len(second)}")


def _kernel(first: Features, second: Features) -> Float[np.ndarray, "N M"]:
    return (first @ second.T / first.shape[1] + 1) ** 2


def _off_diagonal_mean(matrix: Float[np.ndarray, "N N"]) -> float:
    count = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (count * (count - 1)))
