"""What a checkpoint says about itself: `worldloom.json`, for which the diffusers layout has no place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worldloom.core.error import UsageError
from worldloom.generate.size import Size

SamplerName = Literal["euler", "heun", "unipc"]
SAMPLERS: tuple[SamplerName, ...] = ("euler", "heun", "unipc")


@dataclass(frozen=True)
class Sampling:
    """How a model likes to be sampled; each value can be overruled by a request."""

    sampler: SamplerName = "unipc"
    num_steps: int = 20
    guidance_scale: float = 3.0
    shift: float = 3.0  # of the timesteps; more spends more steps at high noise
    temperature: float = 1.0  # deviation of the noise that a clip begins with; less is cleaner and paler
    epsilon_scale: float = (
        1.0  # of the noise found at low levels where nothing is given, see `worldloom.flow.epsilon`
    )
    history_guidance: float = 0.0  # see `worldloom.generate.denoise.History`; 0 guides by the words alone
    stillness: float = (
        0.0  # tolerance of `worldloom.generate.stillness.Stillness`; 0 draws nothing to given frames
    )
    deflicker: float = 0.0  # levels of `worldloom.generate.deflicker`; 0 leaves new frames as they are


@dataclass(frozen=True)
class Card:
    """The facts about a checkpoint that a request is checked against and a reader asks for.

    `sizes` are (width, height) pairs, the first is the default; `num_frames` are the trained frame counts, a 1 among
    them meaning pictures; `action_size` is None for a model that takes no actions; `held_out` names compositions, such
    as "bounce purple", that no training take showed. `fast` is how the model is sampled with the adapter
    `fast.safetensors` in its folder, None where there is none. Given frames are encoded in `encode_passes`, of which all
    but the last show the encoder what the decoder gets wrong.
    """

    name: str
    description: str
    licence: str
    recipe: str
    data: str
    sizes: tuple[tuple[int, int], ...]
    fps: int
    num_frames: tuple[int, ...]
    sampling: Sampling
    action_size: int | None = None
    held_out: tuple[str, ...] = ()
    fast: Sampling | None = None
    encode_passes: int = 1

    def __post_init__(self) -> None:
        if not self.sizes or not self.num_frames:
            raise UsageError(f"the model {self.name!r} names no trained size or no trained frame count")
        if any(count < 1 or count % 4 != 1 for count in self.num_frames):
            raise UsageError(f"trained frame counts must be 4n+1, not {list(self.num_frames)}")
        if self.encode_passes < 1:
            raise UsageError(f"frames are encoded in at least 1 pass, not {self.encode_passes}")
        if self.fps < 1:
            raise UsageError(f"the trained frame rate must be at least 1, not {self.fps}")

    @property
    def trained_sizes(self) -> list[Size]:
        return [Size(*size) for size in self.sizes]

    @property
    def longest(self) -> int:
        """The most frames that one canvas may hold."""
        return max(self.num_frames)

    @property
    def shortest(self) -> int:
        """The fewest frames of a canvas that moves (a picture, where trained, is one frame)."""
        return min((count for count in self.num_frames if count > 1), default=1)
