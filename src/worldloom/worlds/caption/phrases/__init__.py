"""The phrase books, one module per family, an English and a Chinese one each."""

from worldloom.worlds.caption.phrasebook import Phrasebook
from worldloom.worlds.caption.phrases import bounce, drive, fragile, occluder, pillow, pour, pusher

_MODULES = (bounce, drive, fragile, occluder, pillow, pour, pusher)
BOOKS: dict[str, dict[str, Phrasebook]] = {
    module.__name__.rsplit(".", 1)[-1]: {"en": module.English(), "zh": module.Chinese()}
    for module in _MODULES
}
