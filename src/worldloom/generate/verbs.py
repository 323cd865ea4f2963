"""The verbs: each lays out what is given and what is wanted, and the same painter does the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np

from worldloom.core.error import UsageError
from worldloom.generate.clip import Clip, Footage
from worldloom.generate.conform import Frames, after_frames, before_frames, cover, pick, retime, stretch
from worldloom.generate.engine import Engine, OnStep
from worldloom.generate.layout import Painter, Surroundings, grow
from worldloom.generate.region import read_region
from worldloom.generate.repaint import repaint
from worldloom.generate.request import Style, describe_output
from worldloom.generate.size import Size, nearest_sizes
from worldloom.generate.window import CONTEXT


@dataclass(frozen=True)
class Brush:
    """What every verb needs besides its footage: the models, the style, and whom to tell about progress."""

    engine: Engine
    style: Style
    on_step: OnStep | None = None

    def size_for(self, clip: Clip) -> Size:
        """Return the trained size most like a clip's, at which new footage for it is painted."""
        return nearest_sizes(clip.size, self.engine.card.trained_sizes)[0]

    def settings(self, verb: str, size: Size, num_frames: int, fps: Fraction, **more: Any) -> dict[str, Any]:
        """Return what a file records about itself."""
        card = self.engine.card
        made_by = {"generator": "worldloom", "verb": verb, "model": card.name}
        return {**made_by, **self.style.settings(), **describe_output(size, num_frames, fps), **more}


def generate(
    brush: Brush,
    num_frames: int,
    size: Size,
    fps: Fraction,
    image: Frames | None = None,
    last_image: Frames | None = None,
) -> Footage:
    """Words to footage; `image` and `last_image` [1, H, W, 3], scaled to cover `size`, are its first and last frame."""
    first, last = (
        None if picture is None else Clip(cover(picture, size), fps) for picture in (image, last_image)
    )
    given = [name for name, picture in (("first frame", first), ("last frame", last)) if picture is not None]
    if num_frames < len(given):
        raise UsageError(f"a clip of {num_frames} frame cannot hold both a first and a last image")
    settings = brush.settings("generate", size, num_frames, fps, **({"given": given} if given else {}))
    new = _beside(brush, first, last, num_frames - len(given), size, Size(*size), fps)
    chunks = chain(_frames(first), new, _frames(last))
    return Footage(size, fps, num_frames, settings, chunks)


def extend(brush: Brush, clip: Clip, num_frames: int, backward: bool = False) -> Footage:
    """`num_frames` new frames after a clip, or before it; the clip's own stay as they are."""
    before, after = (None, clip) if backward else (clip, None)
    new = _beside(brush, before, after, num_frames, clip.size, brush.size_for(clip), clip.fps)
    chunks = chain(new, _frames(clip)) if backward else chain(_frames(clip), new)
    direction = "backward" if backward else "forward"
    return _around(brush, "extend", clip, len(clip.frames) + num_frames, chunks, direction=direction)


def loop(brush: Brush, clip: Clip, num_frames: int) -> Footage:
    """A clip and `num_frames` new frames that run from its last frame into its first."""
    new = _beside(brush, clip, clip, num_frames, clip.size, brush.size_for(clip), clip.fps)
    return _around(brush, "loop", clip, len(clip.frames) + num_frames, chain(_frames(clip), new))


def connect(brush: Brush, first: Clip, second: Clip, num_frames: int) -> Footage:
    """Two clips with `num_frames` new frames between them that lead from one to the other."""
    if first.size != second.size or first.fps != second.fps:
        raise UsageError(
            f"the clips must be alike in size and frame rate: {first.size} at {float(first.fps):g} and "
            f"{second.size} at {float(second.fps):g} frames per second"
        )
    new = _beside(brush, first, second, num_frames, first.size, brush.size_for(first), first.fps)
    total = len(first.frames) + num_frames + len(second.frames)
    return _around(brush, "connect", first, total, chain(_frames(first), new, _frames(second)))


def edit(brush: Brush, clip: Clip, strength: float, mask: np.ndarray | None = None) -> Footage:
    """A clip with a new look: noised to level `strength` and painted anew, inside `mask` only if there is one.

    `mask` is uint8 [1 or F, H, W, 3], bright where the clip may change; elsewhere its pixels stay to the bit.
    """
    if not 0 < strength <= 1:
        raise UsageError(f"strength is {strength:g}; it must be more than 0 (nothing changes) and at most 1")
    region = None if mask is None else read_region(mask, clip.size, len(clip.frames))
    painter = Painter(brush.engine, brush.style, brush.size_for(clip), brush.on_step)
    chunks = repaint(painter, clip.frames, strength, region)
    return _around(brush, "edit", clip, len(clip.frames), chunks, strength=strength, masked=mask is not None)


def _around(
    brush: Brush, verb: str, clip: Clip, num_frames: int, chunks: Iterator[Frames], **more: Any
) -> Footage:
    more["painted_size"] = str(brush.size_for(clip))
    settings = brush.settings(verb, clip.size, num_frames, clip.fps, **more)
    return Footage(clip.size, clip.fps, num_frames, settings, chunks)


def _frames(clip: Clip | None) -> Iterator[Frames]:
    return iter([] if clip is None else [clip.frames])


def _beside(
    brush: Brush,
    before: Clip | None,
    after: Clip | None,
    count: int,
    size: Size,
    painted: Size,
    fps: Fraction,
) -> Iterator[Frames]:
    """Yield `count` new frames of `size` at `fps` between two clips, painted at the model's own size and rate."""
    if count == 0:
        return
    engine, native = brush.engine, Fraction(brush.engine.card.fps)
    reach = max(CONTEXT, engine.span.shortest)
    nothing = np.zeros((0, painted.height, painted.width, 3), np.uint8)

    def seen(clip: Clip | None, indexes: Callable[[int, Fraction, Fraction, int], list[int]]) -> Frames:
        if clip is None:
            return nothing
        return stretch(clip.frames[indexes(reach, fps, native, len(clip.frames))], painted)

    given = Surroundings(seen(before, before_frames), seen(after, after_frames))
    shown = retime(count, fps, native, before is not None, after is not None)
    painter = Painter(engine, brush.style, painted, brush.on_step)
    for chunk in pick(grow(painter, given, max(shown) + 1), shown):
        yield stretch(chunk, size)
