"""Procedural textures as small uint8 pictures, made once per process and the same everywhere.

MuJoCo's built-in textures are flat, checker and gradient only; wood, grass or marble is what makes a floor worth
looking at. Each function returns [size, size, 3] uint8 that tiles without a seam; object patterns are near-white so
that an object's own colour multiplies through.
"""

from __future__ import annotations

from functools import cache

import numpy as np

SIZE = 128


def _noise(seed: int, cells: int, octaves: int = 4) -> np.ndarray:
    """Tiling value noise in [0, 1], [SIZE, SIZE]."""
    rng = np.random.default_rng(seed)
    total = np.zeros((SIZE, SIZE))
    amplitude = 1.0
    for octave in range(octaves):
        n = cells * 2**octave
        grid = rng.random((n, n))
        at = np.arange(SIZE) * n / SIZE
        low = at.astype(int)
        part = at - low
        part = part * part * (3 - 2 * part)
        high = (low + 1) % n
        rows = grid[low] * (1 - part[:, None]) + grid[high] * part[:, None]
        total += amplitude * (rows[:, low] * (1 - part) + rows[:, high] * part)
        amplitude *= 0.5
    return (total - total.min()) / (total.max() - total.min())


def _mix(first: tuple[int, int, int], second: tuple[int, int, int], share: np.ndarray) -> np.ndarray:
    return np.asarray(first) * (1 - share[..., None]) + np.asarray(second) * share[..., None]


def _axes() -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(SIZE) / SIZE, np.arange(SIZE) / SIZE, indexing="ij")


def _planks() -> np.ndarray:
    y, x = _axes()
    plank = (y * 6).astype(int)
    grain = np.sin(2 * np.pi * (y * 30 + 1.5 * _noise(1, 4))) * 0.5 + 0.5
    tone = np.random.default_rng(2).random(6)[plank]
    picture = _mix((172, 118, 66), (128, 80, 42), 0.5 * grain * _noise(3, 8) + 0.5 * tone)
    ends = np.abs(((x + 0.37 * plank) % 0.5) - 0.25) < 0.006
    picture[(y * 6 % 1 < 0.06) | ends] *= 0.62
    return picture


def _tiles() -> np.ndarray:
    y, x = _axes()
    dark = ((y * 4).astype(int) + (x * 4).astype(int)) % 2
    picture = _mix((226, 222, 212), (132, 146, 158), dark.astype(float))
    picture *= (0.94 + 0.06 * _noise(4, 16))[..., None]
    picture[(y * 4 % 1 < 0.04) | (x * 4 % 1 < 0.04)] = (188, 186, 182)
    return picture


def _marble() -> np.ndarray:
    vein = np.abs(np.sin(np.pi * (2 * _axes()[0] + 3 * _noise(5, 3, 5)))) ** 0.35
    return _mix((104, 104, 114), (196, 194, 190), vein)


def _grass() -> np.ndarray:
    return _mix((44, 92, 30), (122, 168, 62), 0.6 * _noise(6, 24, 3) + 0.4 * _noise(7, 4, 2))


def _sand() -> np.ndarray:
    ripple = 0.5 + 0.5 * np.sin(2 * np.pi * (8 * _axes()[0] + 1.2 * _noise(8, 3)))
    return _mix((188, 158, 106), (220, 194, 146), 0.6 * ripple + 0.4 * _noise(9, 32, 2))


def _concrete() -> np.ndarray:
    return _mix((128, 128, 128), (172, 171, 168), 0.7 * _noise(10, 4, 5) + 0.3 * _noise(11, 48, 1))


def _carpet() -> np.ndarray:
    y, x = _axes()
    weave = 0.5 + 0.5 * np.sin(2 * np.pi * 32 * x) * np.sin(2 * np.pi * 32 * y)
    band = (np.abs(y - 0.5) < 0.07).astype(float)
    return _mix((120, 38, 46), (158, 64, 66), 0.7 * weave + 0.3 * _noise(12, 8)) * (
        1 - 0.25 * band[..., None]
    )


def _bricks() -> np.ndarray:
    y, x = _axes()
    row = (y * 8).astype(int)
    across = (x * 4 + 0.5 * (row % 2)) % 4
    tone = np.random.default_rng(13).random((8, 4))[row, across.astype(int)]
    picture = _mix((168, 84, 60), (128, 58, 44), 0.6 * tone + 0.4 * _noise(14, 16))
    picture[(y * 8 % 1 < 0.1) | (across % 1 < 0.05)] = (186, 178, 168)
    return picture


def _grain() -> np.ndarray:
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (7 * _axes()[1] + 1.8 * _noise(15, 3)))
    return _mix((150, 138, 126), (255, 250, 244), 0.75 * rings + 0.25 * _noise(16, 16))


def _veins() -> np.ndarray:
    vein = np.abs(np.sin(np.pi * (3 * _axes()[1] + 3 * _noise(17, 3, 5)))) ** 0.4
    return _mix((110, 110, 116), (255, 255, 255), vein)


def _brushed() -> np.ndarray:
    rng = np.random.default_rng(18)
    lines = np.repeat(rng.random((SIZE, 1)), SIZE, axis=1)
    return _mix((196, 196, 200), (255, 255, 255), 0.6 * lines + 0.4 * _noise(19, 4))


def _stripes() -> np.ndarray:
    return _mix((255, 255, 255), (70, 70, 70), (_axes()[0] * 6 % 1 < 0.4).astype(float))


def _dots() -> np.ndarray:
    y, x = _axes()
    inside = ((y * 4 % 1 - 0.5) ** 2 + (x * 4 % 1 - 0.5) ** 2) < 0.075
    return _mix((255, 255, 255), (60, 60, 60), inside.astype(float))


_MAKERS = {
    "planks": _planks,
    "tiles": _tiles,
    "marble": _marble,
    "grass": _grass,
    "sand": _sand,
    "concrete": _concrete,
    "carpet": _carpet,
    "bricks": _bricks,
    "grain": _grain,
    "veins": _veins,
    "brushed": _brushed,
    "stripes": _stripes,
    "dots": _dots,
}


@cache
def texture(name: str) -> np.ndarray:
    """The picture of that name, [SIZE, SIZE, 3] uint8, read-only."""
    picture = np.clip(_MAKERS[name](), 0, 255).astype(np.uint8)
    picture.setflags(write=False)
    return picture
