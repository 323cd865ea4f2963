"""A model's weights brought to where they compute: all of them at once, or its row of blocks streamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import nn

from worldloom.core.error import UsageError
from worldloom.nn.streamed import Source, StreamedBlocks

Offload = Literal["none", "cpu", "disk"]
"""Where blocks wait for their turn: on the device that computes, in the CPU's memory, or in their files."""


def check_offload(offload: str, device: torch.device) -> Offload:
    """Return `offload` if it is one of the three and means something on `device`; raises UsageError otherwise."""
    for known in get_args(Offload):
        if offload == known:
            if offload == "cpu" and device.type == "cpu":
                raise UsageError(
                    "offload cpu is for a GPU: on the cpu the weights are there already; use disk"
                )
            return known
    raise UsageError(f"offload {offload!r} is unknown; choose one of {', '.join(get_args(Offload))}")


def place(
    model: nn.Module,
    source: Source,
    dtypes: Mapping[str, torch.dtype],
    device: torch.device | str,
    offload: Offload = "none",
    row: str = "",
) -> None:
    """Give a model built on the meta device its weights, in evaluation mode.

    Args:
        source: holds every tensor of the model's state under its name.
        dtypes: the number format that each is to have, for every name in the model's state.
        row: the name of the `nn.ModuleList` of equal blocks that is streamed unless `offload` is none.
    """
    device = torch.device(device)
    if offload != "none":
        _stream(model, source, dtypes, device, row, keep=offload == "cpu")
        dtypes = {name: dtype for name, dtype in dtypes.items() if not name.startswith(f"{row}.")}
    shapes = {name: tensor.shape for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    tensors = {}
    for name, dtype in dtypes.items():
        tensors[name] = torch.empty(shapes[name], dtype=dtype, device=device)
        source.read_into(name, tensors[name])
    model.load_state_dict(tensors, assign=True)
    model.eval()


def _stream(
    model: nn.Module,
    source: Source,
    dtypes: Mapping[str, torch.dtype],
    device: torch.device,
    row: str,
    keep: bool,
) -> None:
    parent, _, name = row.rpartition(".")
    blocks = model.get_submodule(row)
    assert isinstance(blocks, nn.ModuleList), row
    first = f"{row}.0."
    of_block = {n.removeprefix(first): dtype for n, dtype in dtypes.items() if n.startswith(first)}
    streamed = StreamedBlocks(blocks[0], source, row, len(blocks), of_block, device, keep)
    setattr(model.get_submodule(parent), name, streamed)
