"""Drawn examples in place of rendered ones: a disc or a bar of one colour that moves over a shaded floor."""

import numpy as np

from worldloom.core.seed import numpy_generator
from worldloom.evaluate.examples import Example, class_map
from worldloom.evaluate.labels import Labels
from worldloom.worlds.look import COLOURS

FAMILIES = ("bounce", "ramp")  # shown by discs and by bars
USED = ("red", "green", "blue")
OUTCOMES = {"bounce": ("still_bouncing", "rolls_away"), "ramp": ("rolls_down", "sticks")}  # stays, leaves


def drawn(number: int, side: int = 48) -> Example:
    rng = numpy_generator("drawn", number)
    family, colour, leaves = FAMILIES[number % 2], USED[number // 2 % 3], number % 3 == 0
    frames = np.empty((4, side, side, 3), np.uint8)
    frames[:] = (90 + rng.integers(0, 60) + np.linspace(0, 40, side)).astype(np.uint8)[None, :, None, None]
    masks = np.zeros((4, side, side), np.uint8)
    radius = int(rng.integers(7, 11))
    rows, columns = np.mgrid[:side, :side]
    for frame in range(4):
        if frame == 3 and leaves:
            continue
        y, x = rng.integers(radius, side - radius, 2)
        up, across = abs(rows - y), abs(columns - x)
        away = np.hypot(up, across) if family == "bounce" else np.maximum(3 * up, across / 2)
        masks[frame][away <= radius] = 1
    frames[masks == 1] = np.array(COLOURS[colour]) * 255
    truth = {"objects": [{"noun": "thing", "colour": colour}]}
    labels = Labels(family, colour, "rubber", 1 if family == "bounce" else None, "still",
                    f"{family}: {OUTCOMES[family][leaves]}")  # fmt: skip
    return Example(labels, frames, class_map(masks, truth))
