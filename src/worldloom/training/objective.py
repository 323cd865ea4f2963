"""What the trainer asks of the thing being trained, and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from worldloom.data.bucket import Batch, BatchPlan
from worldloom.training.guard import GuardConfig
from worldloom.training.optimizer import OptimizerConfig
from worldloom.training.parallel import Parallel
from worldloom.training.schedule import ScheduleConfig


@dataclass(frozen=True)
class TrainerConfig:
    """How any run is driven; none of it but `seed` and `ema_decay` changes what is learned.

    Saving happens every `save_minutes` (or `save_steps` where that is not 0), evaluation with sample sheets
    every `evaluate_minutes` (or `evaluate_steps`). `threads` 0 leaves PyTorch's own choice.
    """

    seed: int = 0
    ema_decay: float = 0.999
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    loader_threads: int = 1
    log_steps: int = 10
    save_minutes: float = 4.0
    save_steps: int = 0
    evaluate_minutes: float = 5.0
    evaluate_steps: int = 0
    keep_checkpoints: int = 2
    measure_mfu: bool = True


@dataclass(frozen=True)
class Surroundings:
    """Where a run takes place."""

    run: Path
    parallel: Parallel
    seed: int
    quiet: bool


@runtime_checkable
class Objective(Protocol):
    """One thing to learn. Every draw inside derives from (seed, step, place in the batch, purpose)."""

    module: nn.Module
    plan: BatchPlan
    plain: tuple[str, ...]
    """Name fragments of layers that AdamW keeps."""
    figures: tuple[str, ...]
    """Names that `loss` reports beside the loss itself."""

    def prepare(self, batch: Batch, positions: Sequence[int]) -> Any:
        """Arrays of the batch's samples at `positions`; runs in a loader thread."""

    def loss(self, prepared: Any, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """(mean loss over the prepared samples, figures to log)."""

    def tokens(self, batch: Batch) -> int:
        """How many tokens (or pixels) a batch holds, for the speed log."""

    def evaluate(self, folder: Path, step: int) -> dict[str, float]:
        """Held-out figures with the module as it is now; writes sheets to `folder` as `step-N-*.png`."""

    def write_weights(self, folder: Path) -> None:
        """Write what the rest of the package loads, in the layout of a checkpoint folder."""

    def close(self) -> None:
        """Close files."""


@runtime_checkable
class Recipe(Protocol):
    """A complete run: a frozen dataclass that can build its objective."""

    @property
    def name(self) -> str: ...

    @property
    def optimizer(self) -> OptimizerConfig: ...

    @property
    def schedule(self) -> ScheduleConfig: ...

    @property
    def guard(self) -> GuardConfig: ...

    @property
    def trainer(self) -> TrainerConfig: ...

    def build(self, surroundings: Surroundings) -> Objective:
        """The objective, its models initialised from the seed."""


def autocast(device: torch.device, precision: str, automatic: torch.dtype) -> torch.autocast:
    """A context in which matrix products run in the run's precision; weights stay fp32."""
    dtype = automatic if precision == "auto" else getattr(torch, precision)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)
