"""What a clip's file says of how it was made, as a request that can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldloom.core.error import UsageError

# What is taken over, of which kind, and the option that it becomes.
TAKEN: dict[str, tuple[type, ...]] = {
    "negative": (str,),
    "sampler": (str,),
    "steps": (int,),
    "guidance": (int, float),
    "shift": (int, float),
    "temperature": (int, float),
    "epsilon_scale": (int, float),
    "deflicker": (int, float),
    "history_guidance": (int, float),
    "stillness": (int, float),
    "style": (str,),
}


def recorded_request(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return {"prompt": ..., and options of a request} from the settings recorded in a clip.

    Raises UsageError, calling the clip `name`, where there are none of ours or they are not what we write.
    """
    if settings.get("generator") != "worldloom" or not isinstance(settings.get("prompt"), str):
        raise UsageError(
            f"{name} carries no settings of ours to remix from; use edit, which takes a prompt and settings"
        )
    request = {"prompt": settings["prompt"]}
    for key, kinds in TAKEN.items():
        value = settings.get(key)
        if value is None:
            continue
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise UsageError(f"{name} carries the setting {key} {value!r}, which we never write; use edit")
        request[key] = value
    return request
