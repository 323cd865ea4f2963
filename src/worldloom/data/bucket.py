"""Which samples make up which batch, as a pure function of (seed, step).

Samples of one shape (frames, height, width) form a bucket; a batch comes from one bucket and holds as many
samples as the budget allows, so pictures, short and long clips cost about the same per step. The order of an
epoch depends on (seed, epoch) alone and the number of batches per epoch never changes, so training resumes at
any step by asking for that step's batch: no reader state exists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from worldloom.core.error import UsageError
from worldloom.core.seed import numpy_generator

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Batch:
    """One step's samples: indices into the sample list the plan was made from."""

    step: int
    epoch: int
    shape: Shape
    indices: np.ndarray


class BatchPlan:
    """Deterministic batches for every step from 0 on.

    Args:
        shapes: (frames, height, width) per sample, after cropping.
        budget: cost one batch may reach; a sample that alone costs more forms a batch of one.
        cost: cost of one sample of a shape, e.g. its tokens or pixels.
        seed: seed of all orders.
    """

    def __init__(self, shapes: Sequence[Shape], budget: float, cost: Callable[[Shape], float], seed: int):
        if not shapes:
            raise UsageError("no sample is left to train on")
        self.seed = seed
        members: dict[Shape, list[int]] = {}
        for index, shape in enumerate(shapes):
            members.setdefault(shape, []).append(index)
        self.buckets = {shape: np.asarray(indices) for shape, indices in sorted(members.items())}
        self.batch_sizes = {
            shape: max(1, min(len(indices), int(budget // cost(shape))))
            for shape, indices in self.buckets.items()
        }
        # An incomplete last batch is left out (its samples change with the epoch's order), but a bucket
        # smaller than one batch still gives one.
        self.batch_counts = {
            shape: max(1, len(indices) // self.batch_sizes[shape]) for shape, indices in self.buckets.items()
        }
        self.batches_per_epoch = sum(self.batch_counts.values())
        # Two epochs, since a loader asks across the seam; the cache is safe to use from its threads.
        self._order = lru_cache(maxsize=2)(self._arrange)

    def batch(self, step: int) -> Batch:
        """The batch of a global step >= 0."""
        epoch, position = divmod(step, self.batches_per_epoch)
        shape, indices = self._order(epoch)[position]
        return Batch(step, epoch, shape, indices)

    def _arrange(self, epoch: int) -> list[tuple[Shape, np.ndarray]]:
        batches: list[tuple[Shape, np.ndarray]] = []
        for shape, indices in self.buckets.items():
            shuffled = numpy_generator(self.seed, "bucket", epoch, *shape).permutation(indices)
            size = self.batch_sizes[shape]
            batches += [(shape, shuffled[n * size : (n + 1) * size]) for n in range(self.batch_counts[shape])]
        order = numpy_generator(self.seed, "epoch", epoch).permutation(len(batches))
        return [batches[n] for n in order]
