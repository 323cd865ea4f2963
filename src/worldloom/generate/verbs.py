"""The verbs: each lays out what is given and what is wanted, and the same painter does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from worldloom.core.error import UsageError
from worldloom.flow.timestep import shift_timestep
from worldloom.generate.clip import Clip, Footage
from worldloom.generate.conform import Frames, cover
from worldloom.generate.engine import Engine, OnStep
from worldloom.generate.journal import Journal
from worldloom.generate.layout import Painter
from worldloom.generate.region import read_region
from worldloom.generate.repaint import repaint
from worldloom.generate.request import Style, describe_output
from worldloom.generate.size import Size, nearest_sizes
from worldloom.generate.timeline import New, Piece, Timeline

Stretch = tuple[int, int]  # frames [start, stop) of a clip


@dataclass(frozen=True)
class Brush:
    """What every verb needs besides its footage: models, style, whom to tell about progress, and what is finished."""

    engine: Engine
    style: Style
    on_step: OnStep | None = None
    journal: Journal = field(default_factory=Journal)

    def painter(self, size: Size) -> Painter:
        """Return what paints canvases of `size`; all of a request count in one journal."""
        return Painter(self.engine, self.style, size, self.journal, self.on_step)

    def size_for(self, clip: Clip) -> Size:
        """Return the trained size most like a clip's, at which new footage for it is painted."""
        return nearest_sizes(clip.size, self.engine.card.trained_sizes)[0]

    def settings(self, verb: str, size: Size, num_frames: int, fps: Fraction, **more: Any) -> dict[str, Any]:
        """Return what a file records about itself."""
        made_by = {"generator": "worldloom", "verb": verb, **self.engine.settings()}
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
    first, last = ([] if picture is None else [cover(picture, size)] for picture in (image, last_image))
    given = ["first frame"] * len(first) + ["last frame"] * len(last)
    if num_frames < len(given):
        raise UsageError(f"a clip of {num_frames} frame cannot hold both a first and a last image")
    timeline = Timeline(size, fps, [*first, New(num_frames - len(given)), *last])
    return _footage(brush, "generate", timeline, size, **({"given": given} if given else {}))


def extend(brush: Brush, clip: Clip, num_frames: int, backward: bool = False) -> Footage:
    """`num_frames` new frames after a clip, or before it; the clip's own stay as they are."""
    new = New(num_frames)
    pieces: list[Piece] = [new, clip.frames] if backward else [clip.frames, new]
    direction = "backward" if backward else "forward"
    return _beside(brush, "extend", clip, pieces, direction=direction)


def loop(brush: Brush, clip: Clip, num_frames: int) -> Footage:
    """A clip and `num_frames` new frames that run from its last frame into its first."""
    return _beside(brush, "loop", clip, [clip.frames, New(num_frames)], beyond=clip.frames)


def connect(brush: Brush, first: Clip, second: Clip, num_frames: int) -> Footage:
    """Two clips with `num_frames` new frames between them that lead from one to the other."""
    check_alike(first, second)
    return _beside(brush, "connect", first, [first.frames, New(num_frames), second.frames])


def recut(brush: Brush, clip: Clip, keep: Sequence[Stretch], num_frames: int) -> Footage:
    """`num_frames` frames of which the stretches to `keep` are the clip's, at their own times, and the others new."""
    pieces: list[Piece] = []
    position = 0
    for start, stop in keep:
        pieces += [New(start - position), clip.frames[start:stop]]
        position = stop
    pieces.append(New(num_frames - position))
    seconds = [[round(float(frame / clip.fps), 6) for frame in stretch] for stretch in keep]
    return _beside(brush, "recut", clip, pieces, kept=seconds)


def storyboard(brush: Brush, timeline: Timeline, cards: list[dict[str, Any]]) -> Footage:
    """A timeline of given and new stretches, each with words of its own; `cards` is what the file records of it."""
    painted = nearest_sizes(timeline.size, brush.engine.card.trained_sizes)[0]
    if not any(isinstance(piece, New) and piece.count for piece in timeline.pieces):
        raise UsageError("the board's pictures and clips fill all its time; nothing is left to paint")
    return _footage(brush, "storyboard", timeline, painted, cards=cards)


def edit(
    brush: Brush, clip: Clip, strength: float, mask: np.ndarray | None = None, verb: str = "edit"
) -> Footage:
    """A clip with a new look: noised and painted anew, inside `mask` only if there is one.

    `strength` is the share of the schedule that is walked, as in diffusers: under the style's shift it begins at the
    noise level shift * strength / (1 + (shift - 1) * strength).

    `mask` is uint8 [1 or F, H, W, 3], bright where the clip may change; elsewhere its pixels stay to the bit.
    """
    if not 0 < strength <= 1:
        raise UsageError(f"strength is {strength:g}; it must be more than 0 (nothing changes) and at most 1")
    region = None if mask is None else read_region(mask, clip.size, len(clip.frames))
    painted = brush.size_for(clip)
    level = float(shift_timestep(torch.tensor(strength), brush.style.shift))
    # the clip's motion is given, however small
    brush = replace(brush, style=replace(brush.style, deflicker=0.0))
    chunks = repaint(brush.painter(painted), clip.frames, level, region)
    how = {"painted_size": str(painted), "strength": strength, "masked": mask is not None}
    settings = brush.settings(verb, clip.size, len(clip.frames), clip.fps, **how)
    given = () if mask is None else (clip.frames,)
    return Footage(clip.size, clip.fps, len(clip.frames), settings, chunks, brush.journal, given)


def check_alike(first: Clip, second: Clip) -> None:
    """Raise UsageError unless two clips can stand in one file without change."""
    if first.size != second.size or first.fps != second.fps:
        raise UsageError(
            f"the clips must be alike in size and frame rate: {first.size} at {float(first.fps):g} and "
            f"{second.size} at {float(second.fps):g} frames per second"
        )


def _beside(
    brush: Brush, verb: str, clip: Clip, pieces: Sequence[Piece], beyond: Frames | None = None, **more: Any
) -> Footage:
    """Return footage with new stretches beside a clip, in its size and at its rate."""
    timeline = Timeline(clip.size, clip.fps, pieces, beyond)
    painted = brush.size_for(clip)
    return _footage(brush, verb, timeline, painted, painted_size=str(painted), **more)


def _footage(brush: Brush, verb: str, timeline: Timeline, painted: Size, **more: Any) -> Footage:
    settings = brush.settings(verb, timeline.size, timeline.num_frames, timeline.fps, **more)
    chunks = timeline.paint(brush.painter(painted))
    return Footage(
        timeline.size, timeline.fps, timeline.num_frames, settings, chunks, brush.journal, timeline.given
    )
