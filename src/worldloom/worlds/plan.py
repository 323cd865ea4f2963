"""Which takes a dataset holds: family, seed, size and duration of every sample, known before anything is rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worldloom.core.error import UsageError
from worldloom.core.seed import numpy_generator
from worldloom.worlds.composition import UNSEEN, is_unseen
from worldloom.worlds.families import FAMILIES, check_families
from worldloom.worlds.families import family as find_family
from worldloom.worlds.look import Paint, draw_look
from worldloom.worlds.stage import FPS

# Width x height with the share of takes; the three shapes have nearly the same area.
SIZES: dict[tuple[int, int], float] = {(128, 128): 0.5, (160, 96): 0.3, (96, 160): 0.2}
SHORT, LONG = 17, 33  # frames: one and two seconds at 16 fps
ANOTHER = 1 << 40
"""Step to another world seed where a take's composition is left out; plain seeds lie below it."""


@dataclass(frozen=True)
class DatasetPlan:
    """Settings of a dataset; equal settings give the same files.

    `seed` is the first take's world seed: takes use seeds `seed .. seed + takes - 1`, so datasets with disjoint ranges
    share no take, but for those drawn anew: `held_out` leaves out the compositions of `composition.UNSEEN`, and a take
    that would show one gets another world, of seed + k * `ANOTHER`. `scale` multiplies all sizes (2 for the 256-pixel class); `pictures` and `long` are shares.
    """

    takes: int
    seed: int = 0
    families: tuple[str, ...] = tuple(FAMILIES)
    scale: int = 1
    pictures: float = 0.12
    long: float = 0.5
    supersample: int = 2
    wordings: int = 4
    shard_takes: int = 128
    held_out: bool = True

    def __post_init__(self) -> None:
        if self.takes < 1:
            raise UsageError(f"a dataset needs at least 1 take, not {self.takes}")
        check_families(self.families)
        if not 0 <= self.seed <= ANOTHER - self.takes:
            raise UsageError(
                f"seeds of a dataset lie from 0 to {ANOTHER - 1}, not {self.seed} to {self.seed + self.takes - 1}"
            )
        for name in ("scale", "supersample", "shard_takes"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.wordings < 0:
            raise UsageError(f"wordings must be at least 0, not {self.wordings}")
        for name in ("pictures", "long"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")

    @property
    def num_shards(self) -> int:
        return -(-self.takes // self.shard_takes)

    def settings(self) -> dict[str, Any]:
        left_out = [f"{family} {UNSEEN[family]}" for family in self.families if family in UNSEEN]
        return {
            "format": 1,
            **asdict(self),
            "families": list(self.families),
            "held_out": left_out if self.held_out else [],
        }

    def sample(self, index: int) -> SamplePlan:
        """What take number `index` is; families come round in turn, the rest is drawn."""
        rng = numpy_generator("dataset", self.seed, index)
        sizes: Sequence[tuple[int, int]] = list(SIZES)
        width, height = sizes[int(rng.choice(len(sizes), p=list(SIZES.values())))]
        picture = bool(rng.random() < self.pictures)
        frames = 1 if picture else LONG if rng.random() < self.long else SHORT
        family = self.families[index % len(self.families)]
        return SamplePlan(
            key=f"{self.seed + index:09d}",
            family=family,
            seed=self._world(family, self.seed + index, frames),
            width=width * self.scale,
            height=height * self.scale,
            num_frames=frames,
        )

    def _world(self, family: str, seed: int, frames: int) -> int:
        """The first world seed, from `seed` in steps of `ANOTHER`, whose composition is not left out."""
        seconds = (frames - 1) / FPS if frames > 1 else 1.0
        while self.held_out and is_unseen(family, main_paint(family, seed, seconds).colour):
            seed += ANOTHER
        return seed


@dataclass(frozen=True)
class SamplePlan:
    key: str
    family: str
    seed: int
    width: int
    height: int
    num_frames: int

    @property
    def picture(self) -> bool:
        return self.num_frames == 1


def main_paint(family: str, seed: int, seconds: float) -> Paint:
    """Return the paint of a take's main object without simulating it; `seconds` is the take's duration."""
    world = find_family(family)
    parameters = world.draw(numpy_generator("world", family, seed), seconds)
    return world.build(parameters, draw_look(numpy_generator("look", family, seed))).things[0].paint
