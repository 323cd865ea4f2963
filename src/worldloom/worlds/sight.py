"""What the camera of a take had in its picture, from the truth alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float


def on_screen(view: dict[str, Any], places: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
    """Return where points (m) are in the picture: (right, up) of its middle, in halves of its height.

    Points behind the camera are nowhere: nan.
    """
    azimuth, elevation = math.radians(view["azimuth"]), math.radians(view["elevation"])
    forward = np.array(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ]
    )
    right = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
    offset = places - np.array(view["centre"]) + view["distance"] * forward
    depth = offset @ forward
    reach = np.where(depth > 0, depth, np.nan) * math.tan(math.radians(view["fov"]) / 2)
    return np.stack([offset @ right, offset @ np.cross(right, forward)], -1) / reach[..., None]


def in_picture(view: dict[str, Any], place: list[float]) -> bool:
    """Whether a point (m) is inside a square picture of that view; a wider picture shows it as well."""
    return bool(np.all(np.abs(on_screen(view, np.array(place))) <= 1))


def shows_sky(view: dict[str, Any]) -> bool:
    """Whether the picture reaches above the horizon."""
    return view["elevation"] + view["fov"] / 2 > 0.5
