"""How much of the machine a run uses: floating-point operations per step against a measured peak."""

import time
from collections.abc import Callable, Hashable

import torch
from torch.utils.flop_counter import FlopCounterMode

from worldloom.nn import native


def measure_peak(device: torch.device, dtype: torch.dtype, size: int = 1536, seconds: float = 1.0) -> float:
    """Floating-point operations per second of this machine's matrix product, the best of about `seconds`.

    The figure is for the moment: another process on the same cores lowers it.
    """
    size = size if device.type == "cpu" else 8192
    a, b = (
        torch.ones(size, size, device=device, dtype=dtype),
        torch.ones(size, size, device=device, dtype=dtype),
    )
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds or best == 0.0:
        start = time.perf_counter()
        _ = a @ b
        _synchronize(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def count_operations(work: Callable[[], object]) -> int:
    """Floating-point operations of matrix products, convolutions and attention in `work()`."""
    with native.aside(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


class Meter:
    """Steps, samples and operations since the last reading."""

    def __init__(self, peak: float | None) -> None:
        self.peak = peak
        self.operations: dict[Hashable, int] = {}
        self._clear()

    def knows(self, kind: Hashable) -> bool:
        """Whether the operations of this kind of batch are counted."""
        return kind in self.operations

    def add(self, kind: Hashable, samples: int, tokens: int, seconds: float) -> None:
        """Take one step in, timed without saving and sampling."""
        self._steps += 1
        self._samples += samples
        self._tokens += tokens
        self._seconds += seconds
        self._operations += self.operations.get(kind, 0)

    def read(self) -> dict[str, float]:
        """Rates since the last reading, and start anew."""
        seconds = max(self._seconds, 1e-9)
        rates = {
            "speed/steps_per_second": self._steps / seconds,
            "speed/samples_per_second": self._samples / seconds,
            "speed/tokens_per_second": self._tokens / seconds,
            "speed/teraflops": self._operations / seconds / 1e12,
        }
        if self.peak:
            rates["speed/mfu"] = self._operations / seconds / self.peak
        self._clear()
        return rates

    def _clear(self) -> None:
        self._steps = self._samples = self._tokens = self._operations = 0
        self._seconds = 0.0


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
