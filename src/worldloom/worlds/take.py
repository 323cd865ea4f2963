"""One rendered run of a world: pixels, masks, depth, truth and captions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from worldloom.worlds.camera import View
from worldloom.worlds.family import Facts
from worldloom.worlds.look import Look
from worldloom.worlds.record import Record


@dataclass
class Take:
    """`frames` uint8 [F, H, W, 3]; `masks` uint8 [F, H, W], 0 background and i the i-th object of `truth["objects"]`
    (from 1); `depth` float32 [F, H, W] metres; `captions[language][length]` a list of distinct wordings.
    """

    family: str
    seed: int
    fps: int
    frames: np.ndarray
    masks: np.ndarray | None
    depth: np.ndarray | None
    truth: dict[str, Any]
    captions: dict[str, dict[str, list[str]]]


def make_truth(
    family: str, seed: int, parameters: Any, look: Look, record: Record, views: list[View], facts: Facts
) -> dict[str, Any]:
    """Everything the simulator knows of a take as plain JSON values; lengths in metres, angles in degrees."""
    return {
        "family": family,
        "seed": seed,
        "fps": record.fps,
        "num_frames": record.num_frames,
        "parameters": asdict(parameters),
        "look": asdict(look),
        "objects": [
            {
                "name": thing.name,
                "noun": thing.noun,
                "colour": thing.paint.colour,
                "material": thing.paint.material,
                "moving": thing.moving,
                "position": np.round(record.position[:, index], 4).tolist(),
                "quaternion": np.round(record.quaternion[:, index], 4).tolist(),
                "velocity": np.round(record.velocity[:, index], 3).tolist(),
                "spin": np.round(record.spin[:, index], 3).tolist(),
            }
            for index, thing in enumerate(record.things)
        ],
        "contacts": [
            {**asdict(contact), "impulse": round(contact.impulse, 5)} for contact in record.contacts
        ],
        "actions": [list(action) for action in record.actions],
        "camera": [view.truth() for view in views],
        "facts": asdict(facts),
    }
