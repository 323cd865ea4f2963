"""Low-rank adapters (LoRA, arXiv 2106.09685): what other files add to a transformer's weights as they are read.

A file holds for some weight matrices W two thin ones, and W + strength * alpha / rank * up down takes W's place; some
files hold differences of vectors or whole weights as well. Names are those of diffusers, of Wan's original release or
of kohya's trainers, of which all three are in use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from worldloom.core.error import Failure, UsageError
from worldloom.core.file import sha256_of
from worldloom.core.weights import Weights, listed
from worldloom.dit.original import original_name

Expert = Literal["both", "high", "low"]
"""Which of two experts is adapted: the one for high noise levels, the one for low ones, or both."""
PREFIXES = ("base_model.model.", "transformer.", "model.diffusion_model.", "diffusion_model.", "lora_unet_")
KINDS = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
    ".diff": "weight",
    ".diff_b": "bias",
    ".lora_B.bias": "bias",
}
STRONGEST = 10.0
# Directions and iterations of the randomised decomposition (arXiv 0909.4061) beyond the rank.
SPARE, PASSES = 8, 6


@dataclass(frozen=True)
class Lora:
    """An adapter as it is asked for: its safetensors file, how strongly, and for which expert."""

    path: Path
    strength: float = 1.0
    expert: Expert = "both"

    def __post_init__(self) -> None:
        if not -STRONGEST <= self.strength <= STRONGEST:
            raise UsageError(
                f"the strength of {self.path.name} is {self.strength:g}; it must be from {-STRONGEST:g} to {STRONGEST:g}"
            )

    @classmethod
    def parse(cls, text: str) -> Lora:
        """Return what `[high=|low=]FILE[:STRENGTH]` asks for."""
        expert: Expert = "both"
        for known in ("high", "low"):
            if text.startswith(f"{known}="):
                expert, text = known, text.removeprefix(f"{known}=")
        file, _, last = text.rpartition(":")
        try:
            strength = float(last)
        except ValueError:
            file, strength = text, 1.0
        return cls(Path(file), strength, expert)

    def record(self) -> dict[str, Any]:
        """Return what a file records of the adapter: its name, SHA-256 and use."""
        return {
            "file": self.path.name,
            "sha256": sha256_of(self.path),
            "strength": self.strength,
            "expert": self.expert,
        }


class Change(NamedTuple):
    """Names in the file of what changes one tensor: two factors with or without alpha, or a difference."""

    down: str = ""
    up: str = ""
    alpha: str = ""
    difference: str = ""


class Adapted:
    """The weights of a transformer with adapters added, one tensor at a time, when it is read."""

    def __init__(self, weights: Weights, shapes: Mapping[str, Sequence[int]], loras: Sequence[Lora]) -> None:
        self.weights = weights
        self.adapters = [(Weights(lora.path), lora.strength) for lora in loras]
        self.changes = [changes_of(adapter, shapes) for adapter, _ in self.adapters]

    def read_into(self, name: str, out: Tensor) -> None:
        """Fill `out` with an adapted tensor; the sum is taken in fp32."""
        if not any(name in changes for changes in self.changes):
            self.weights.read_into(name, out)
            return
        total = torch.empty_like(out, dtype=torch.float32)
        self.weights.read_into(name, total)
        for (adapter, strength), changes in zip(self.adapters, self.changes, strict=True):
            if name in changes:
                total += strength * _difference(adapter, changes[name], total)
        out.copy_(total)

    def read_rows(self, name: str, numbers: Sequence[int]) -> Tensor:
        """Return rows of a tensor; tables of rows are not adapted."""
        assert not any(name in changes for changes in self.changes), name
        return self.weights.read_rows(name, numbers)


def difference(
    base: Weights, tuned: Weights, name: str, rank: int, dtype: torch.dtype = torch.bfloat16
) -> dict[str, Tensor]:
    """Return what an adapter that makes nearly `tuned` of `base` holds for one tensor, under the names of Wan's release.

    Of a matrix's change the `rank` largest singular directions are kept; vectors, and matrices too small to gain from
    it, are kept whole. For a tensor that is equal in both it is nothing.
    """
    change = tuned.read(name).float() - base.read(name).float()
    if not change.any():
        return {}
    module = f"diffusion_model.{original_name(_module(name))}"
    flat = change.flatten(1) if change.ndim > 1 else change[None]
    if rank * sum(flat.shape) >= flat.numel():
        return {module + (".diff_b" if name.endswith(".bias") else ".diff"): change.to(dtype)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        left, values, right = torch.svd_lowrank(flat, q=min(rank + SPARE, *flat.shape), niter=PASSES)
    root = values[:rank].sqrt()
    down = (root[:, None] * right[:, :rank].T).reshape(rank, *change.shape[1:])
    up = (left[:, :rank] * root).reshape(-1, rank, *[1] * (change.ndim - 2))
    return {
        f"{module}.lora_down.weight": down.to(dtype).contiguous(),
        f"{module}.lora_up.weight": up.to(dtype).contiguous(),
    }


def changes_of(adapter: Weights, shapes: Mapping[str, Sequence[int]]) -> dict[str, Change]:
    """Return what an adapter's file changes, by the names of tensors of these shapes.

    Raises UsageError for a file without low-rank factors and Failure for tensors that are of another kind, for
    another model, or lack their other half.
    """
    names = {alias: module for name in shapes for module in [_module(name)] for alias in _aliases(module)}
    found: dict[str, dict[str, str]] = {}
    strange = []
    for stored in adapter.info:
        suffix = next((suffix for suffix in KINDS if stored.endswith(suffix)), "")
        module = names.get(_bare(stored.removesuffix(suffix)))
        if not suffix or module is None:
            strange.append(stored)
            continue
        found.setdefault(module, {})[KINDS[suffix]] = stored
    if not any("up" in kinds for kinds in found.values()):
        raise UsageError(f"{adapter.path} is no low-rank adapter for this model: it holds {listed(strange)}")
    if strange:
        raise Failure(f"{adapter.path} holds tensors for which this model has no place: {listed(strange)}")
    changes: dict[str, Change] = {}
    for module, kinds in found.items():
        weight = f"{module}.weight" if f"{module}.weight" in shapes else module
        if "down" in kinds or "up" in kinds:
            if not {"down", "up"} <= set(kinds):
                raise Failure(
                    f"{adapter.path}: of the two factors for {module} only {listed([*kinds.values()])} is there"
                )
            changes[weight] = Change(kinds["down"], kinds["up"], kinds.get("alpha", ""))
        if "weight" in kinds:
            changes[weight] = Change(difference=kinds["weight"])
        if "bias" in kinds:
            changes[f"{module}.bias"] = Change(difference=kinds["bias"])
    for name, change in changes.items():
        _check_shape(adapter, name, change, shapes)
    return changes


def _check_shape(adapter: Weights, name: str, change: Change, shapes: Mapping[str, Sequence[int]]) -> None:
    if name not in shapes:
        raise Failure(f"{adapter.path} changes {name}, which this model lacks")
    wanted = tuple(shapes[name])
    if change.difference:
        made = adapter.info[change.difference].shape
    else:
        up, down = adapter.info[change.up].shape, adapter.info[change.down].shape
        made = (up[0], *down[1:]) if up[1] == down[0] else (*up, *down)
    if made != wanted:
        raise Failure(f"{adapter.path}: the change of {name} has the shape {made}; this model's has {wanted}")


def _difference(adapter: Weights, change: Change, like: Tensor) -> Tensor:
    """What is added to one tensor at strength 1, of the shape and on the device of `like`, in fp32."""
    if change.difference:
        return adapter.read(change.difference).to(like)
    down, up = (
        adapter.read(name).to(like.device, torch.float32).flatten(1) for name in (change.down, change.up)
    )
    rank = len(down)
    scale = float(adapter.read(change.alpha)) / rank if change.alpha else 1.0
    return (scale * up @ down).view(like.shape)


def _module(name: str) -> str:
    return name.removesuffix(".weight").removesuffix(".bias")


def _aliases(module: str) -> tuple[str, ...]:
    """All that files call a module: as diffusers does, as the original release does, and that with underscores."""
    original = original_name(module)
    return module, original, original.replace(".", "_")


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name
