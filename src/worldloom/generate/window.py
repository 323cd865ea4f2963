"""How footage of any length is divided into canvases that a model was trained for.

Frame counts follow the causal autoencoder: its first latent frame stands for one picture and each later one for
four frames, so a canvas holds 4n + 1 frames, of which 4a + 1 are known at its start or 4b at its end.

Long footage is chained: each canvas begins with the last frames of the one before, encoded anew. The other way is to
roll: latent frames move through one window at noise levels that rise towards its end, and are never encoded again, at
half the steps. It asks for an autoencoder whose code does not depend on the place in the clip; one trained on clips of
17 frames codes the fifth latent frame unlike any later one. The transformer's squared velocity error on 4 takes (33
frames, the first weights, 2026-11) is 0.46 in a window encoded anew, at one noise level or at rising ones (0.49), and
1.2 in one cut from the latents of the whole take, with or without a picture coded anew at its head. Of two
rolls of six seconds, one lost 80 % of its contrast and the other doubled its sharpness into grain.
"""

from __future__ import annotations

from dataclasses import dataclass

from worldloom.core.error import UsageError

STRIDE = 4  # frames in a latent frame after the first
CONTEXT = 9  # known frames before a continuation: enough to see velocity and acceleration
LANDING = 8  # known frames after it, likewise


@dataclass(frozen=True)
class Window:
    """One canvas of `frames` frames, counted at the model's rate.

    From its start: `prefix` known frames, `cut` frames that are thrown away, `new` frames that are wanted, `offset`
    frames that stand where footage is given and are thrown away for it, `suffix` known frames; after them, where
    nothing follows, spare frames that fill the canvas. A negative offset lets the suffix begin before the wanted
    frames end, which only a still picture allows: its first frames are then wanted ones.
    """

    frames: int
    new: int
    prefix: int = 0
    cut: int = 0
    offset: int = 0
    suffix: int = 0

    def __post_init__(self) -> None:
        used = self.prefix + self.cut + self.new + self.offset + self.suffix
        assert self.frames % STRIDE == 1 and self.new > 0, self
        assert used == self.frames if self.suffix else used <= self.frames, self

    @property
    def shown(self) -> slice:
        """Which of the canvas's frames are wanted."""
        begin = self.prefix + self.cut
        return slice(begin, begin + self.new)


@dataclass(frozen=True)
class Span:
    """The trained frame counts that bound a canvas; `pictures` says that one frame alone is trained too."""

    shortest: int
    longest: int
    pictures: bool = False

    def fill(self, frames: int) -> int:
        """Return the smallest canvas that holds `frames`."""
        if frames == 1 and self.pictures:
            return 1
        return max(self.shortest, frames + (1 - frames) % STRIDE)


def plan_after(count: int, before: int, span: Span) -> list[Window]:
    """Return the windows for `count` new frames after `before` given ones (0: from nothing), in order of time."""
    windows: list[Window] = []
    while count > 0:
        prefix = _prefix(before, span.longest - STRIDE)
        new = min(count, span.longest - prefix)
        windows.append(Window(span.fill(prefix + new), new, prefix=prefix))
        count, before = count - new, before + new
    return windows


def plan_before(count: int, still: bool, span: Span) -> list[Window]:
    """Return the windows for `count` new frames before given ones, the last in time first: each sees what follows it.

    `still` says that the given footage is one picture.
    """
    windows: list[Window] = []
    while count > 0:
        suffix = _suffix(still and not windows, span)
        new = min(count, span.longest - suffix)
        frames = span.fill(new + suffix)
        windows.append(Window(frames, new, cut=frames - new - suffix, suffix=suffix))
        count -= new
    return windows


def plan_between(count: int, before: int, still: bool, span: Span) -> list[Window]:
    """Return the windows for exactly `count` new frames between `before` given ones and given ones that follow.

    In order of time; the last one lands on what follows, which is one picture if `still`.
    """
    windows: list[Window] = []
    suffix = _suffix(still, span)
    while count > 0:
        prefix = _prefix(before, span.longest - suffix - STRIDE)
        offset = -(count % STRIDE) if still else -count % STRIDE
        if prefix + count + offset + suffix <= span.longest:
            if (missing := span.shortest - (prefix + count + offset + suffix)) > 0:
                prefix = _prefix(before, prefix + missing, most=prefix + missing)
            total = prefix + count + offset + suffix
            windows.append(Window(total, count, prefix=prefix, offset=offset, suffix=suffix))
            return windows
        # Leave a whole latent frame to the window that lands.
        new = min(span.longest - prefix, count - STRIDE)
        windows.append(Window(span.fill(prefix + new), new, prefix=prefix))
        count, before = count - new, before + new
    return windows


def _prefix(before: int, room: int, most: int = CONTEXT) -> int:
    """Return the largest 4a + 1 known frames that are there, fit in `room` and are no more than useful; or 0."""
    known = min(before, room, most)
    return known - (known - 1) % STRIDE if known > 0 else 0


def _suffix(still: bool, span: Span) -> int:
    """Return how many frames are known at the end; a picture says all it can in one latent frame."""
    least = 1 + 2 * STRIDE  # one known picture, one latent frame to paint, one to land on
    if span.longest < least:
        raise UsageError(
            f"the model paints at most {span.longest} frames at once; to end on given footage it needs {least}"
        )
    return STRIDE if still or span.longest < CONTEXT + LANDING + STRIDE else LANDING
