"""Random canvases for training: which tokens are known, and how noisy each one is.

One set of weights serves every verb because it was trained on all of their canvases: nothing known (text to
video), the first frame (image to video), a prefix or suffix (extension), both ends (connection and loop), the end
of another clip (connection of what has nothing in common), scattered frames (storyboard), everything but a box
(in-painting), and a noise level for each frame (rolling).
"""

from dataclasses import dataclass, fields

import numpy as np

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class MaskConfig:
    """How often each kind of canvas is drawn, as weights that need not sum to one."""

    nothing: float = 45.0
    first: float = 20.0
    prefix: float = 12.0
    suffix: float = 6.0
    ends: float = 4.0
    dissolve: float = 2.0
    scattered: float = 3.0
    region: float = 3.0
    levels: float = 7.0

    def weights(self) -> dict[str, float]:
        """Weight by kind."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class Mask:
    """`known` [f, h, w] bool; `levels_per_frame` asks for a noise level of its own for each frame."""

    kind: str
    known: np.ndarray
    levels_per_frame: bool = False

    @property
    def known_frames(self) -> int:
        """Latent frames known as a whole."""
        return int(self.known.all(axis=(1, 2)).sum())

    @property
    def second(self) -> np.ndarray:
        """Share of a second clip in each latent frame, float32 [f]: of a dissolve it rises evenly across the gap.

        No footage shows how one world becomes another, so this says what is wanted: that it fades into it.
        """
        places = np.arange(len(self.known), dtype=np.float32)
        if self.kind != "dissolve":
            return 0 * places
        gap = np.flatnonzero(~self.known.all(axis=(1, 2)))
        return np.clip((places - gap[0] + 1) / (len(gap) + 1), 0, 1).astype(np.float32)


def draw_mask(config: MaskConfig, grid: Grid, generator: np.random.Generator) -> Mask:
    """A random mask over the token grid (f, h, w); at least one token is unknown."""
    weights = config.weights()
    if grid[0] == 1:
        weights = {kind: weights[kind] for kind in ("nothing", "region")}
    if grid[0] == 2:
        weights = {kind: weight for kind, weight in weights.items() if kind not in ("ends", "dissolve")}
    kinds = list(weights)
    share = np.asarray([weights[kind] for kind in kinds])
    kind = kinds[int(generator.choice(len(kinds), p=share / share.sum()))]
    known = np.zeros(grid, dtype=bool)
    if kind == "region":
        known[:] = True
        known[_box(grid, generator)] = False
    elif kind not in ("nothing", "levels"):
        known[_frames(kind, grid[0], generator)] = True
    return Mask(kind, known, levels_per_frame=kind == "levels")


def _frames(kind: str, count: int, generator: np.random.Generator) -> np.ndarray:
    """Which of `count` >= 2 latent frames are known, bool [count]: at least one, never all."""
    places = np.arange(count)
    if kind == "first":
        return places < 1
    if kind == "prefix":
        # The shorter of two: most is learnt where little is known of what moves.
        return places < int(generator.integers(min(2, count - 1), count, size=2).min())
    if kind == "suffix":
        return places >= count - int(generator.integers(1, count))
    if kind in ("ends", "dissolve"):
        head = int(generator.integers(1, count - 1))
        tail = int(generator.integers(1, count - head))
        return (places < head) | (places >= count - tail)
    chosen = generator.permutation(count)[: int(generator.integers(1, count))]
    return np.isin(places, chosen)


def _box(grid: Grid, generator: np.random.Generator) -> tuple[slice, slice, slice]:
    """A box of a quarter to all of each side in space, over all frames."""
    sides = []
    for size in grid[1:]:
        side = int(generator.integers(max(1, size // 4), size + 1))
        start = int(generator.integers(0, size - side + 1))
        sides.append(slice(start, start + side))
    return slice(None), sides[0], sides[1]
