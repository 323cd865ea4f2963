"""Data-parallel training under `torchrun`: each rank takes part of every batch, gradients are summed.

The sum runs over one flat buffer (gloo on CPU, NCCL on CUDA). A rank's loss is already divided by the global
number of samples, so the sum over ranks is what one device would have computed.
"""

import datetime
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import Tensor, nn

from worldloom.core.device import resolve_device
from worldloom.core.error import UsageError


@dataclass(frozen=True)
class Parallel:
    """This process's place among its peers; `world` 1 means there are none."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this rank writes files and logs."""
        return self.rank == 0

    def positions(self, count: int) -> list[int]:
        """Places in a global batch of `count` samples that belong to this rank (may be none)."""
        return list(range(self.rank, count, self.world))

    @torch.no_grad()
    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace every gradient by its sum over ranks."""
        if self.world == 1:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        for p, total in zip(parameters, self.sum_tensors(gradients), strict=True):
            p.grad = total

    @torch.no_grad()
    def sum_tensors(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sum of every tensor over ranks, in its own dtype; they share one stretch of memory for each."""
        if self.world == 1:
            return list(tensors)
        sums = list(tensors)
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            alike = [n for n, tensor in enumerate(tensors) if tensor.dtype == dtype]
            flat = torch.cat([tensors[n].flatten() for n in alike])
            distributed.all_reduce(flat)
            for n, part in zip(alike, flat.split([tensors[n].numel() for n in alike]), strict=True):
                sums[n] = part.view_as(tensors[n])
        return sums

    def sum(self, values: list[float]) -> list[float]:
        """Element-wise sum over ranks, in float64."""
        return self._reduce(values, distributed.ReduceOp.SUM) if self.world > 1 else values

    def most(self, values: list[float]) -> list[float]:
        """Element-wise maximum over ranks."""
        return self._reduce(values, distributed.ReduceOp.MAX) if self.world > 1 else values

    def wait(self) -> None:
        """Return when every rank has come here."""
        if self.world > 1:
            distributed.barrier()

    def leave(self) -> None:
        """End the process group."""
        if self.world > 1:
            distributed.destroy_process_group()

    def _reduce(self, values: list[float], operation: distributed.ReduceOp.RedOpType) -> list[float]:
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor, operation)
        return tensor.tolist()


def join(device: str = "auto") -> Parallel:
    """Join the process group that torchrun's environment describes, or be alone without one."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Parallel(0, 1, resolve_device(device))
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    resolved = resolve_device(device)
    if resolved.type == "mps":
        raise UsageError("data-parallel training runs on cuda or cpu, not on mps")
    if resolved.type == "cuda":
        resolved = torch.device("cuda", local)
        torch.cuda.set_device(resolved)
    # This module takes the group of the moment of its import as a default argument. Were it imported later, as
    # counting operations does, the group would outlive `leave`, and its threads the interpreter, which aborts.
    importlib.import_module("torch.distributed.nn.functional")
    # Hours, not minutes: the leading rank may encode a whole dataset while the others wait.
    distributed.init_process_group(
        "nccl" if resolved.type == "cuda" else "gloo", timeout=datetime.timedelta(hours=12)
    )
    return Parallel(rank, world, resolved)


def flat_difference(module: nn.Module, parallel: Parallel) -> float:
    """Largest difference of any parameter between ranks: 0 as long as they are in step."""
    flat = torch.cat([p.detach().flatten() for p in module.parameters()])
    if parallel.world == 1:
        return 0.0
    highest: Tensor = flat.clone()
    distributed.all_reduce(highest, distributed.ReduceOp.MAX)
    lowest: Tensor = flat.clone()
    distributed.all_reduce(lowest, distributed.ReduceOp.MIN)
    return float((highest - lowest).max())
