"""What the camera of a take had in its picture, from the truth alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float

HORIZON = 20.0
"""How far (m) a look goes that meets no floor before: what is there hardly moves when the camera does."""


def on_screen(view: dict[str, Any], places: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
    """Return where points (m) are in the picture: (right, up) of its middle, in halves of its height.

    Points behind the camera are nowhere: nan.
    """
    forward, right = _axes(view)
    offset = places - np.array(view["centre"]) + view["distance"] * forward
    depth = offset @ forward
    reach = np.where(depth > 0, depth, np.nan) * math.tan(math.radians(view["fov"]) / 2)
    return np.stack([offset @ right, offset @ np.cross(right, forward)], -1) / reach[..., None]


def on_floor(view: dict[str, Any], screen: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 3"]:
    """Return the points (m) that empty ground shows at places of the picture, as `on_screen` gives them.

    The floor is the plane of height 0; above the horizon, and beyond `HORIZON`, it is what is that far away.
    """
    forward, right = _axes(view)
    eye = np.array(view["centre"]) - view["distance"] * forward
    spread = math.tan(math.radians(view["fov"]) / 2)
    look = forward + spread * (screen[..., :1] * right + screen[..., 1:] * np.cross(right, forward))
    down = np.minimum(look[..., 2:], -1e-6)
    return eye + look * np.clip(-eye[2] / down, 0.0, HORIZON)


def in_picture(view: dict[str, Any], place: list[float]) -> bool:
    """Whether a point (m) is inside a square picture of that view; a wider picture shows it as well."""
    return bool(np.all(np.abs(on_screen(view, np.array(place))) <= 1))


def shows_sky(view: dict[str, Any]) -> bool:
    """Whether the picture reaches above the horizon."""
    return view["elevation"] + view["fov"] / 2 > 0.5


def _axes(view: dict[str, Any]) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Unit vectors of a view: forward, and right in the picture."""
    azimuth, elevation = math.radians(view["azimuth"]), math.radians(view["elevation"])
    forward = [
        math.cos(elevation) * math.cos(azimuth),
        math.cos(elevation) * math.sin(azimuth),
        math.sin(elevation),
    ]
    return np.array(forward), np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
