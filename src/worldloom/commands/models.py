"""What `worldloom models list | show | import | export | difference | mean` do."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from worldloom.core.checkpoint import save_tensors
from worldloom.core.config import to_dict
from worldloom.core.error import Failure, UsageError
from worldloom.core.file import check_target
from worldloom.core.progress import progress
from worldloom.core.weights import Weights, find_weights, require_safetensors
from worldloom.dit.lora import difference
from worldloom.generate.adopt import adopt, size_of, undress, undress_to_original
from worldloom.generate.assembly import Assembly
from worldloom.generate.folder import (
    find_folder,
    load_card,
    load_checkpoint,
    packaged_models,
    save_checkpoint,
    verify_folder,
)
from worldloom.generate.release import find_release

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
SHORT = {torch.bfloat16: "bf16", torch.float32: "fp32", torch.float16: "fp16"}
WITHOUT_WEIGHTS = ("tokenizer", "scheduler", "image_processor")
Outcome = tuple[dict[str, Any], str]  # for machines, and for people


def list_models(args: Namespace) -> Outcome:
    """Return the models in the package, with a line about each."""
    models = [_line(name) for name in packaged_models()]
    lines = [f"{model['name']}  {model['megabytes']:.0f} MB  {model['description']}" for model in models]
    return {"models": models}, "\n".join(lines) or "no models are in this package"


def show_model(args: Namespace) -> Outcome:
    """Return all that a checkpoint says about itself, its parts, and whether every file is as it was saved.

    Raises UsageError for an unknown name, Failure for weights that cannot be read.
    """
    folder = find_folder(args.model)
    damage = _damage(folder)
    result = {
        "folder": str(folder),
        "ok": damage is None,
        "intact": damage is None,
        "damage": damage,
        "parts": {name: _part(folder / name) for name in Assembly.read(folder).parts},
        **to_dict(load_card(folder)),
    }
    return result, _describe(result)


def import_model(args: Namespace) -> Outcome:
    """Make a checkpoint folder of what lies in the given sources."""
    release = find_release(args.sources)
    dtype = DTYPES.get(args.dtype)
    total = size_of(release, dtype)
    with progress(total / 1e6, release.card.name, args.quiet, "MB") as bar:
        folder = adopt(release, args.output, dtype, args.force, lambda done: bar.advance(done / 1e6))
    layouts = {name: part.layout for name, part in release.parts.items()}
    result = {"folder": str(folder), "name": release.card.name, "bytes": total, "layouts": layouts}
    found = ", ".join(f"{name} ({layout})" for name, layout in layouts.items())
    return result, f"{folder}: {release.card.name}, {total / 1e9:.2f} GB of {found}"


def export_model(args: Namespace) -> Outcome:
    """Copy a checkpoint into another layout, after every file has been checked."""
    source = find_folder(args.model)
    verify_folder(source)
    total = _bytes(source)
    write = undress if args.layout == "diffusers" else undress_to_original
    with progress(total / 1e6, args.output.name, args.quiet, "MB") as bar:
        folder = write(source, args.output, args.force, lambda done: bar.advance(done / 1e6))
    result = {"folder": str(folder), "layout": args.layout, "bytes": _bytes(folder)}
    return result, f"{folder}: {result['bytes'] / 1e6:.1f} MB in the {args.layout} layout"


def subtract_models(args: Namespace) -> Outcome:
    """Write the difference of two transformers as a low-rank adapter."""
    base, tuned = (Weights(find_weights(find_folder(name) / args.part)) for name in (args.base, args.tuned))
    tuned.check(base.shapes)
    if args.rank < 1:
        raise UsageError(f"an adapter of rank {args.rank} holds nothing; the rank must be at least 1")
    require_safetensors(args.output)
    check_target(args.output, args.force)
    tensors: dict[str, torch.Tensor] = {}
    with progress(len(base.info), args.output.name, args.quiet, "tensors") as bar:
        for name in base.info:
            tensors |= difference(base, tuned, name, args.rank)
            bar.advance()
    if not tensors:
        raise UsageError(f"{args.base} and {args.tuned} have the same weights; there is nothing to write")
    save_tensors(args.output, tensors, {"format": "pt"})
    size = args.output.stat().st_size
    result = {"file": str(args.output), "rank": args.rank, "tensors": len(tensors), "bytes": size}
    return result, f"{args.output}: {len(tensors)} tensors of rank {args.rank}, {size / 1e6:.1f} MB"


def average_models(args: Namespace) -> Outcome:
    """Write a model whose transformers lie between two models' (Wortsman et al. 2022, arXiv 2109.01903).

    All else is the first one's, but for its adapter, which is for other weights.
    """
    if not 0 < args.share < 1:
        raise UsageError(f"a share of {args.share:g} is no mean; it must be more than 0 and less than 1")
    if args.output.exists():
        raise UsageError(f"{args.output} exists already; give a new folder")
    cpu = torch.device("cpu")
    one, other = (load_checkpoint(find_folder(name), cpu, torch.float32) for name in (args.base, args.tuned))
    for part in ("vae", "text_encoder"):
        if not _equal(getattr(one, part), getattr(other, part)):
            raise UsageError(
                f"{args.base} and {args.tuned} differ in their {part}, so their transformers mean different things"
            )
    for ours, theirs in ((one.transformer, other.transformer), (one.refiner, other.refiner)):
        if (ours is None) != (theirs is None) or (ours and theirs and ours.config != theirs.config):
            raise UsageError(f"{args.base} and {args.tuned} have different transformers; there is no mean")
        if ours is not None and theirs is not None:
            with torch.no_grad():
                for own, other_own in zip(ours.parameters(), theirs.parameters(), strict=True):
                    own.lerp_(other_own, args.share)
    for module in (one.transformer, one.refiner, one.vae, one.text_encoder, one.image_encoder):
        if module is not None:
            module.to(DTYPES[args.dtype])
    one.card = replace(one.card, fast=None)
    readme = f"# {one.card.name}\n\n{one.card.description}\n\n{args.share:g} of {args.tuned}, the rest of {args.base}.\n"
    folder = save_checkpoint(one, args.output, readme)
    result = {"folder": str(folder), "share": args.share, "bytes": _bytes(folder)}
    return result, f"{folder}: {args.share:g} of {args.tuned} in {args.base}, {result['bytes'] / 1e6:.1f} MB"


ACTIONS: dict[str, Callable[[Namespace], Outcome]] = {
    "list": list_models,
    "show": show_model,
    "import": import_model,
    "export": export_model,
    "difference": subtract_models,
    "mean": average_models,
}


def _equal(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two modules have the same weights under the same names."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def _describe(result: dict[str, Any]) -> str:
    """Return one model as lines for people."""
    sizes = ", ".join(f"{width}x{height}" for width, height in result["sizes"])
    sampling, fast = (
        ", ".join(f"{name} {value}" for name, value in (result[kind] or {}).items())
        for kind in ("sampling", "fast")
    )
    parts = [
        f"  {name:<15} {part['bytes'] / 1e6:9.1f} MB"
        + (f"  {part['parameters'] / 1e6:9.1f} M  {part['dtype']}" if "dtype" in part else "")
        for name, part in result["parts"].items()
    ]
    return "\n".join(
        [
            f"{result['name']}: {result['description']}",
            f"folder    {result['folder']}",
            f"state     {result['damage'] or 'every file is as it was saved'}",
            f"sizes     {sizes} at {result['fps']} frames/s, {'/'.join(map(str, result['num_frames']))} frames",
            f"sampling  {sampling}",
            *([f"--fast    {fast}"] if fast else []),
            f"trained   by recipe {result['recipe']} on {result['data']}",
            f"licence   {result['licence']}",
            "parts",
            *parts,
        ]
    )


def _part(folder: Path) -> dict[str, Any]:
    part: dict[str, Any] = {"bytes": _bytes(folder)}
    if folder.name in WITHOUT_WEIGHTS:
        return part
    counts: Counter[str] = Counter()
    for info in Weights(find_weights(folder)).info.values():
        counts[SHORT.get(info.dtype, str(info.dtype).removeprefix("torch."))] += prod(info.shape)
    named = ", ".join(name for name, _ in counts.most_common())
    return part | {"parameters": counts.total(), "dtype": named}


def _damage(folder: Path) -> str | None:
    try:
        verify_folder(folder)
    except Failure as failure:
        return str(failure)
    return None


def _line(name: str) -> dict[str, Any]:
    folder = find_folder(name)
    card = load_card(folder)
    return {
        "name": name,
        "description": card.description,
        "licence": card.licence,
        "megabytes": _bytes(folder) / 1e6,
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
