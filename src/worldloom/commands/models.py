"""What `worldloom models list | show` do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worldloom.core.config import to_dict
from worldloom.generate.folder import find_folder, load_card, packaged_models, verify_folder


def list_models() -> dict[str, Any]:
    """Return the models in the package, with a line about each."""
    return {"models": [_line(name) for name in packaged_models()]}


def show_model(name: str) -> dict[str, Any]:
    """Return all a checkpoint says about itself, its size and whether every file is as it was saved.

    Raises UsageError for an unknown name, Failure for a damaged checkpoint.
    """
    folder = find_folder(name)
    verify_folder(folder)
    parts = {part.name: _bytes(part) for part in sorted(folder.iterdir()) if part.is_dir()}
    return {"folder": str(folder), "intact": True, "bytes": parts, **to_dict(load_card(folder))}


def describe_list(result: dict[str, Any]) -> str:
    """Return the list as lines for people."""
    lines = [
        f"{model['name']}  {model['megabytes']:.0f} MB  {model['description']}" for model in result["models"]
    ]
    return "\n".join(lines) or "no models are in this package"


def describe_model(result: dict[str, Any]) -> str:
    """Return one model as lines for people."""
    sizes = ", ".join(f"{width}x{height}" for width, height in result["sizes"])
    weights = ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in result["bytes"].items())
    sampling = ", ".join(f"{name} {value}" for name, value in result["sampling"].items())
    return "\n".join(
        [
            f"{result['name']}: {result['description']}",
            f"folder    {result['folder']} (every file as it was saved)",
            f"sizes     {sizes} at {result['fps']} frames/s, {'/'.join(map(str, result['num_frames']))} frames",
            f"sampling  {sampling}",
            f"weights   {weights}",
            f"trained   by recipe {result['recipe']} on {result['data']}",
            f"licence   {result['licence']}",
        ]
    )


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
