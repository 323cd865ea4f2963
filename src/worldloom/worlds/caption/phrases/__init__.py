"""The phrase books, one module per family, an English and a Chinese one each."""

from worldloom.worlds.caption.phrasebook import Phrasebook
from worldloom.worlds.caption.phrases import (
    basketball,
    billiards,
    bounce,
    dominoes,
    drive,
    fragile,
    occluder,
    pendulum,
    pillow,
    pour,
    pusher,
    ramp,
    stack,
)

_MODULES = (
    basketball,
    billiards,
    bounce,
    dominoes,
    drive,
    fragile,
    occluder,
    pendulum,
    pillow,
    pour,
    pusher,
    ramp,
    stack,
)
BOOKS: dict[str, dict[str, Phrasebook]] = {
    module.__name__.rsplit(".", 1)[-1]: {"en": module.English(), "zh": module.Chinese()}
    for module in _MODULES
}
