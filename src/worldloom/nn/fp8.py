"""Linear layers in 8-bit floating point, which GPUs from Ada and Hopper on multiply at twice the rate of bf16.

Weights are stored as e4m3 (arXiv 2209.05433) with one scale per output, and inputs rounded to it with one scale per
token as they come; sums are taken in fp32. A product is some 28 dB above its error: near-exact, and opt-in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldloom.core.error import UsageError

E4M3 = torch.float8_e4m3fn
LARGEST = torch.finfo(E4M3).max
SMALLEST_SCALE = 1e-12  # of a row of zeros
MULTIPLE = 16  # of sizes that the GPU's kernels take
CAPABILITY = (8, 9)


class Fp8Linear(nn.Module):
    """`linear` with its weight in e4m3; inputs and outputs keep their number format."""

    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight, scale = quantise(linear.weight.detach())
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.register_buffer("scale", scale.T.contiguous())  # [1, out]
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        rows, scale = quantise(x.flatten(0, -2))
        product = torch._scaled_mm(rows, self.weight.t(), scale, self.scale, out_dtype=torch.bfloat16)
        return (product if self.bias is None else product + self.bias).to(x.dtype).unflatten(0, x.shape[:-1])


def quantise(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows [N, C] in e4m3 and the scale of each, fp32 [N, 1], that brings its largest value to 448."""
    wide = rows.float()
    scale = (wide.abs().amax(1, keepdim=True) / LARGEST).clamp_min(SMALLEST_SCALE)
    return (wide / scale).to(E4M3), scale


def use_fp8(module: nn.Module) -> int:
    """Put `Fp8Linear` in the place of every linear layer inside that has fitting sizes; return how many."""
    count = 0
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and not any(side % MULTIPLE for side in child.weight.shape):
                setattr(parent, name, Fp8Linear(child))
                count += 1
    return count


def check_fp8(device: torch.device, offload: str) -> None:
    """Raise UsageError unless `device` multiplies in fp8 and the weights stay on it."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < CAPABILITY:
        needed = ".".join(map(str, CAPABILITY))
        raise UsageError(
            f"fp8 needs an NVIDIA GPU of compute capability {needed} or above (Ada, Hopper), not {device}"
        )
    if offload != "none":
        raise UsageError(f"fp8 keeps the weights on the GPU; give it without --offload {offload}")


def decibels(exact: Tensor, approximate: Tensor) -> float:
    """Return how far `exact` is above the error of `approximate`, in dB."""
    exact, approximate = exact.detach().double(), approximate.detach().double()
    return float(10 * torch.log10(exact.square().mean() / F.mse_loss(approximate, exact)))
