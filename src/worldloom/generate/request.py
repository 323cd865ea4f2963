"""What is asked for, checked and completed before any model runs."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from worldloom.core.error import UsageError
from worldloom.generate.card import SAMPLERS, Card, SamplerName
from worldloom.generate.preset import PLAIN, Preset
from worldloom.generate.size import Size

MAX_PROMPT = 32_000  # characters, as in the Videos API
MAX_SECONDS = 600
MAX_FPS = 120
MAX_STEPS = 1000
MAX_GUIDANCE = 50.0
MAX_REUSE = 0.5
MAX_TEMPERATURE = 2.0
MIN_EPSILON_SCALE, MAX_EPSILON_SCALE = 0.5, 1.5
MAX_STILLNESS = 2.0
MAX_DEFLICKER = 64.0
RANDOM_SEED = -1
SEED_LIMIT = 2**63


@dataclass(frozen=True)
class Style:
    """How to paint, whatever the layout: the words, the seed and the sampler's settings."""

    prompt: str
    negative: str
    seed: int
    sampler: SamplerName
    num_steps: int
    guidance_scale: float
    shift: float
    temperature: float = (
        1.0  # deviation of the noise (arXiv 1807.03039, section 6: reduced-temperature models)
    )
    epsilon_scale: float = 1.0  # where nothing is given, see `worldloom.flow.epsilon.scaled_epsilon`
    deflicker: float = 0.0  # levels of `worldloom.generate.deflicker`; 0: new frames stay as they are
    history_guidance: float = 0.0  # scale where frames are given, see `denoise.History`; 0: guidance_scale
    stillness: float = 0.0  # tolerance of `stillness.Stillness`; 0: none
    name: str | None = None  # of the preset that was asked for
    preset: Preset = PLAIN
    reuse: float = 0.0  # threshold of `worldloom.flow.reuse.StepReuse`; 0 computes every step
    guidance_range: tuple[float, float] = (0.0, 1.0)  # noise levels at which there is guidance

    @property
    def words(self) -> str:
        """What the model reads: the prompt, and what the named style adds to it."""
        return self.preset.words(self.prompt)

    def settings(self) -> dict[str, Any]:
        """Return the values as the metadata of a file records them."""
        return {
            "prompt": self.prompt,
            "negative": self.negative,
            "seed": self.seed,
            "sampler": self.sampler,
            "steps": self.num_steps,
            "guidance": self.guidance_scale,
            "shift": self.shift,
            "temperature": self.temperature,
            "epsilon_scale": self.epsilon_scale,
            "deflicker": self.deflicker,
            "history_guidance": self.history_guidance,
            "stillness": self.stillness,
            **({} if self.name is None else {"style": self.name, "words": self.words}),
            **({} if self.reuse == 0 else {"reuse": self.reuse}),
            **({} if self.guidance_range == (0, 1) else {"guidance_range": list(self.guidance_range)}),
        }

    def again(self, number: int) -> Style:
        """Return the style of variation `number` (0 is this one)."""
        return replace(self, seed=(self.seed + number) % SEED_LIMIT)


def check_style(
    card: Card,
    prompt: str,
    *,
    negative: str = "",
    seed: int = RANDOM_SEED,
    sampler: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    shift: float | None = None,
    temperature: float | None = None,
    epsilon_scale: float | None = None,
    deflicker: float | None = None,
    history_guidance: float | None = None,
    stillness: float | None = None,
    reuse: float | None = None,
    guidance_range: tuple[float, float] | None = None,
    needs_prompt: bool = True,
) -> Style:
    """Return the style with the model's own values where None is given; seed -1 draws one.

    Raises UsageError with the actual and the allowed values.
    """
    default = card.sampling
    check_words(prompt, negative, needs_prompt)
    if sampler is not None and sampler not in SAMPLERS:
        raise UsageError(f"sampler {sampler!r} is unknown; choose one of {', '.join(SAMPLERS)}")
    return Style(
        prompt=prompt,
        negative=negative,
        seed=pick_seed(seed),
        sampler=sampler or default.sampler,
        num_steps=check_steps(default.num_steps if steps is None else steps),
        guidance_scale=check_guidance(default.guidance_scale if guidance is None else guidance),
        shift=_within("shift", default.shift if shift is None else shift, 0.01, 100.0),
        temperature=_within(
            "temperature", default.temperature if temperature is None else temperature, 0.0, MAX_TEMPERATURE
        ),
        epsilon_scale=_within(
            "epsilon_scale",
            default.epsilon_scale if epsilon_scale is None else epsilon_scale,
            MIN_EPSILON_SCALE,
            MAX_EPSILON_SCALE,
        ),
        deflicker=_within(
            "deflicker", default.deflicker if deflicker is None else deflicker, 0.0, MAX_DEFLICKER
        ),
        history_guidance=_within(
            "history_guidance",
            default.history_guidance if history_guidance is None else history_guidance,
            0.0,
            MAX_GUIDANCE,
        ),
        stillness=_within(
            "stillness", default.stillness if stillness is None else stillness, 0.0, MAX_STILLNESS
        ),
        reuse=_within("reuse", 0.0 if reuse is None else reuse, 0.0, MAX_REUSE),
        guidance_range=check_guidance_range((0.0, 1.0) if guidance_range is None else guidance_range),
    )


def check_words(prompt: str, negative: str = "", needs_prompt: bool = True) -> None:
    """Raise UsageError for a prompt that is empty where one is needed, and for words that are too many."""
    if needs_prompt and not prompt.strip():
        raise UsageError("the prompt is empty; describe what should be seen")
    for label, text in (("prompt", prompt), ("negative prompt", negative)):
        if len(text) > MAX_PROMPT:
            raise UsageError(f"the {label} has {len(text)} characters; at most {MAX_PROMPT} are allowed")


def pick_seed(seed: int = RANDOM_SEED) -> int:
    """Return `seed`, or for -1 a drawn one of 31 bits: short enough to retype."""
    if seed != RANDOM_SEED and not 0 <= seed < SEED_LIMIT:
        raise UsageError(f"seed {seed} is out of range; give 0 to {SEED_LIMIT - 1}, or -1 for a random one")
    return secrets.randbelow(2**31) if seed == RANDOM_SEED else seed


def check_steps(steps: int) -> int:
    """Return a count of sampler steps that is in range."""
    return int(_within("steps", steps, 1, MAX_STEPS))


def check_guidance(guidance: float) -> float:
    """Return a guidance scale that is in range."""
    return float(_within("guidance", guidance, 1.0, MAX_GUIDANCE))


def check_guidance_range(levels: tuple[float, float]) -> tuple[float, float]:
    """Return an interval of noise levels that lies within 0..1."""
    low, high = levels
    if not 0 <= low <= high <= 1:
        raise UsageError(
            f"the guidance range is {low:g} to {high:g}; it must lie within 0 to 1, low end first"
        )
    return low, high


def check_fps(fps: float | Fraction | None, native: int) -> Fraction:
    """Return the frame rate of the file; None means `native`, the model's own."""
    if fps is None:
        return Fraction(native)
    return Fraction(_within("fps", fps, 1, MAX_FPS)).limit_denominator(1001)


def count_frames(
    fps: Fraction, *, seconds: float | None = None, num_frames: int | None = None, default: int | None = None
) -> int:
    """Return how many frames are asked for, as a duration or as a count.

    Raises UsageError when both are given, neither and no default, or the value is out of range.
    """
    if seconds is not None and num_frames is not None:
        raise UsageError(
            f"give seconds or frames, not both (got {seconds:g} seconds and {num_frames} frames)"
        )
    if num_frames is not None:
        return int(_within("frames", num_frames, 1, int(MAX_SECONDS * fps)))
    if seconds is None:
        if default is None:
            raise UsageError("give a duration in seconds or frames")
        return default
    if not (math.isfinite(seconds) and 0 < seconds <= MAX_SECONDS):
        raise UsageError(f"seconds is {seconds:g}; it must be more than 0 and at most {MAX_SECONDS}")
    if (count := round(Fraction(seconds).limit_denominator(10**6) * fps)) < 1:
        raise UsageError(f"{seconds:g} seconds is less than one frame at {float(fps):g} frames per second")
    return count


def describe_output(size: Size, num_frames: int, fps: Fraction) -> dict[str, Any]:
    """Return the shape of an output as the metadata of a file records it."""
    return {
        "size": str(size),
        "frames": num_frames,
        "fps": int(fps) if fps.denominator == 1 else str(fps),
        "seconds": round(float(num_frames / fps), 6),
    }


def _within(name: str, value: Any, low: float, high: float) -> Any:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{name} is {value:g}; it must be from {low:g} to {high:g}")
    return value
