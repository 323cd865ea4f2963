"""Confidence intervals of the figures in the tables."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from worldloom.core.seed import numpy_generator

Z95 = 1.959963984540054
RESAMPLES = 2000


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share; (0, 1) of nothing at all."""
    if not 0 <= successes <= count:
        raise ValueError(f"{successes} successes of {count}")
    if count == 0:
        return 0.0, 1.0
    share, z2 = successes / count, Z95 * Z95
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def bootstrap_mean(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean over clips, from 2,000 resamples with a fixed seed.

    For shares of frames: the frames of one clip are not independent, the clips are.
    """
    if not values:
        return 0.0, 1.0
    return bootstrap(values, np.mean)


def bootstrap(values: Sequence[float], statistic: Callable[..., Any]) -> tuple[float, float]:
    """Return the 95 % percentile interval of `statistic(sample, axis=1)` over clips, of at least one value."""
    low, high = np.quantile(resampled(values, statistic), [0.025, 0.975])
    return float(low), float(high)


def resampled(values: Sequence[float], statistic: Callable[..., Any]) -> Float[np.ndarray, " R"]:
    """Return a statistic of 2,000 samples drawn from the values with repeats, by a seed that their count fixes."""
    sample = np.asarray(values, dtype=np.float64)
    picks = numpy_generator("bootstrap", len(sample)).integers(0, len(sample), (RESAMPLES, len(sample)))
    return statistic(sample[picks], axis=1)
