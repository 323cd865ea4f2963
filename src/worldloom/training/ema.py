"""An exponential moving average of weights, which samples better than the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """average <- d average + (1 - d) weight, with d = min(decay, (1 + n) / (10 + n)) after n updates.

    The warm-up of d keeps the random initial weights from lingering in short runs.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Take the weights in after `updates` optimizer updates."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averaged weights into the module for the duration of the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Copy saved averages back in."""
        for name, own in self.average.items():
            own.copy_(tensors[name])

    def _swap(self) -> None:
        for name, p in self.parameters.items():
            p.data, self.average[name] = self.average[name], p.data
