"""Worldloom: words, pictures, clips and actions in; video worlds out.

    pipeline = worldloom.Pipeline.from_pretrained("tiny")
    pipeline.generate("a red ball bounces on a wooden floor", seconds=2, seed=7).save("ball.mp4")

Importing this is quick and changes nothing in the process: PyTorch is imported when one of the names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worldloom.core.error import Failure, UsageError
    from worldloom.generate.clip import Clip
    from worldloom.generate.pipeline import Pipeline

__all__ = ["Clip", "Failure", "Pipeline", "UsageError"]

_HOMES = {
    "Clip": "worldloom.generate.clip",
    "Failure": "worldloom.core.error",
    "Pipeline": "worldloom.generate.pipeline",
    "UsageError": "worldloom.core.error",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
