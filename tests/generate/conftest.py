"""One engine for the room's tests, and footage to hand to it."""

from fractions import Fraction

import numpy as np
import pytest

from tests import tiny
from worldloom.generate.clip import Clip
from worldloom.generate.engine import Engine
from worldloom.generate.stream import Stream


@pytest.fixture(scope="session")
def engine() -> Engine:
    return tiny.engine()


@pytest.fixture(scope="session")
def stream(engine: Engine) -> Stream:
    return Stream(engine)


def moving_clip(frames: int, width: int = 32, height: int = 32, fps: int = 16, step: int = 1) -> Clip:
    """A bright square that moves right over a shaded floor."""
    pictures = np.empty((frames, height, width, 3), np.uint8)
    pictures[:] = np.linspace(40, 120, height).astype(np.uint8)[None, :, None, None]
    for number, picture in enumerate(pictures):
        left = (2 + step * number) % (width - 8)
        picture[8:16, left : left + 8] = (220, 60, 40)
    return Clip(pictures, Fraction(fps), {"prompt": "a red box slides"})
