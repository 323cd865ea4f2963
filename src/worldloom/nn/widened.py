"""Weights in bf16, arithmetic in fp32: for processors that multiply bf16 more slowly than fp32.

Most CPUs have no use for bf16 but to save memory. The products of a layer run in fp32 on widened copies of its
weights, which live as long as the call; a model keeps its half size, at nearly the speed and the precision of fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from worldloom.core.device import cpu_has_fast_bf16


def computes_wide(weight: Tensor) -> bool:
    """Return whether products with `weight` are to be computed in fp32 although it is in bf16."""
    return weight.dtype is torch.bfloat16 and weight.device.type == "cpu" and not cpu_has_fast_bf16()


def call(module: nn.Module, *inputs: Any, wide: bool) -> Any:
    """Return `module(*inputs)`; if `wide`, with fp32 copies of its weights and of the tensors among `inputs`."""
    if not wide:
        return module(*inputs)
    weights = {name: tensor.float() for name, tensor in module.named_parameters()}
    return functional_call(module, weights, tuple(map(_widened, inputs)))


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype is torch.bfloat16 else value
