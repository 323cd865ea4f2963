"""A row of equal blocks that shares two places in memory: while one block computes, the next one's weights arrive.

Whoever writes `for block in blocks` streams without knowing it. A pass over the row costs the memory of two blocks
whatever the depth, and the reading hides behind the computing where that takes longer; nothing is kept between
passes. The weights come from a file, or for a GPU from pinned memory of the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from worldloom.core.error import UsageError

ALIGNMENT = 256  # bytes; what PyTorch's own allocators give, so that kernels sum in the same order


@runtime_checkable
class Source(Protocol):
    """Where weights come from: fills tensors by name, and reads single rows of a table."""

    def read_into(self, name: str, out: Tensor) -> None: ...

    def read_rows(self, name: str, numbers: list[int]) -> Tensor: ...


@dataclass(frozen=True)
class Packing:
    """How a block's tensors lie in one run of bytes: {name: (start, shape, dtype)}."""

    places: dict[str, tuple[int, torch.Size, torch.dtype]]
    nbytes: int

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], dtypes: Mapping[str, torch.dtype]) -> Packing:
        """Lay out tensors of these shapes in the number formats that they will have."""
        places, end = {}, 0
        for name, tensor in tensors.items():
            places[name] = (end, tensor.shape, dtypes[name])
            size = tensor.numel() * dtypes[name].itemsize
            end += -(-size // ALIGNMENT) * ALIGNMENT
        return cls(places, end)

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return the tensors that lie in `buffer`, uint8 [nbytes]."""
        return {
            name: buffer[start : start + shape.numel() * dtype.itemsize].view(dtype).view(shape)
            for name, (start, shape, dtype) in self.places.items()
        }


class Slot:
    """A block with room for one set of weights on the device that computes."""

    def __init__(self, skeleton: nn.Module, packing: Packing, device: torch.device) -> None:
        self.buffer = torch.empty(packing.nbytes, dtype=torch.uint8, device=device)
        self.block = copy.deepcopy(skeleton)
        self.block.load_state_dict(packing.views(self.buffer), assign=True)
        self.arrived = torch.cuda.Event() if device.type == "cuda" else None
        self.free = torch.cuda.Event() if device.type == "cuda" else None
        self.release()

    def receive(self, host: Tensor, stream: torch.cuda.Stream | None) -> None:
        """Copy a block's bytes to the device, on CUDA behind the computation that still uses the slot."""
        if stream is None or self.free is None or self.arrived is None:
            self.buffer.copy_(host)
            return
        with torch.cuda.stream(stream):
            stream.wait_event(self.free)
            self.buffer.copy_(host, non_blocking=True)
            self.arrived.record(stream)

    def await_weights(self) -> None:
        """Let the computation that is queued from now on wait for the weights; the CPU does not wait."""
        if self.arrived is not None:
            torch.cuda.current_stream(self.buffer.device).wait_event(self.arrived)

    def release(self) -> None:
        """Say that the computation queued so far is the last to use the weights."""
        if self.free is not None:
            self.free.record(torch.cuda.current_stream(self.buffer.device))


class StreamedBlocks(nn.Module):
    """In place of an `nn.ModuleList` of `depth` blocks that are alike: iterate, and use each block before the next.

    Args:
        skeleton: one of the blocks, on the meta device.
        prefix: of the blocks' names in `source`: "blocks" for "blocks.0.ffn.weight".
        dtypes: the number format in which each of a block's tensors computes.
        keep: hold all weights in (pinned) memory of the CPU instead of reading them from `source` in every pass.
    """

    skeleton: nn.Module

    def __init__(
        self,
        skeleton: nn.Module,
        source: Source,
        prefix: str,
        depth: int,
        dtypes: Mapping[str, torch.dtype],
        device: torch.device,
        keep: bool = False,
    ) -> None:
        super().__init__()
        self.__dict__["skeleton"] = skeleton.requires_grad_(
            False
        )  # no child: it has no weights to move or save
        self.source, self.prefix, self.depth, self.device = source, prefix, depth, device
        self.packing = Packing.of(skeleton.state_dict(), dtypes)
        self.copying = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.hosts: list[Tensor] = []
        if keep:
            self.hosts = [self._read(number, self._host()) for number in range(depth)]

    def __len__(self) -> int:
        return self.depth

    def __iter__(self) -> Iterator[nn.Module]:
        with torch.inference_mode(False):  # the loader's thread is in no such mode, and writes into them
            slots = [Slot(self.skeleton, self.packing, self.device) for _ in range(min(2, self.depth))]
            stage = None if self.hosts or self.device.type == "cpu" else self._host()
        with ThreadPoolExecutor(1) as loader:
            try:
                coming = loader.submit(self._fill, 0, slots[0], stage)
                for number in range(self.depth):
                    coming.result()
                    if number + 1 < self.depth:
                        coming = loader.submit(self._fill, number + 1, slots[(number + 1) % 2], stage)
                    slot = slots[number % 2]
                    slot.await_weights()
                    yield slot.block
                    slot.release()
            finally:
                if self.copying is not None:  # a pass that breaks off must not free what is still written to
                    loader.shutdown()
                    torch.cuda.current_stream(self.device).wait_stream(self.copying)

    def _fill(self, number: int, slot: Slot, stage: Tensor | None) -> None:
        """Bring block `number` into a slot; runs in the loader's thread."""
        if self.hosts:
            slot.receive(self.hosts[number], self.copying)
        elif stage is None:
            self._read(number, slot.buffer)
        else:
            slot.receive(self._read(number, stage), self.copying)
            if slot.arrived is not None:
                slot.arrived.synchronize()  # before the stage is written again

    def _read(self, number: int, buffer: Tensor) -> Tensor:
        for name, tensor in self.packing.views(buffer).items():
            self.source.read_into(f"{self.prefix}.{number}.{name}", tensor)
        return buffer

    def _host(self) -> Tensor:
        return torch.empty(self.packing.nbytes, dtype=torch.uint8, pin_memory=self.device.type == "cuda")

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        raise UsageError("the weights of this model stream and are not all here; load it with offload none")


class StreamedTable(nn.Module):
    """In place of an `nn.Embedding`: reads from its source the rows that are asked for, and keeps none.

    A vocabulary of 256,384 words of 4,096 channels is 2 GB, of which a prompt uses a few hundred rows. `weight` is a
    tensor without memory that carries shape and number format.
    """

    def __init__(
        self, source: Source, name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__()
        self.source, self.name, self.device = source, name, device
        self.weight = torch.empty(shape, dtype=dtype, device="meta")

    def forward(self, ids: Tensor) -> Tensor:
        """ids [...] -> rows [..., D]."""
        rows = self.source.read_rows(self.name, ids.flatten().tolist())
        return rows.to(self.device, self.weight.dtype).view(*ids.shape, -1)
