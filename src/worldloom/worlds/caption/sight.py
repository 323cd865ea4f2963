"""What the camera of a take had in its picture, from the truth alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def in_picture(view: dict[str, Any], place: list[float]) -> bool:
    """Whether a point (m) is inside a square picture of that view; a wider picture shows it as well."""
    azimuth, elevation = math.radians(view["azimuth"]), math.radians(view["elevation"])
    forward = np.array(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ]
    )
    right = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
    offset = np.array(place) - np.array(view["centre"]) + view["distance"] * forward
    reach = float(offset @ forward) * math.tan(math.radians(view["fov"]) / 2)
    return abs(float(offset @ right)) <= reach and abs(float(offset @ np.cross(right, forward))) <= reach


def shows_sky(view: dict[str, Any]) -> bool:
    """Whether the picture reaches above the horizon."""
    return view["elevation"] + view["fov"] / 2 > 0.5
