"""New footage beside given footage: canvases are laid out, painted one after the other, and decoded as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from torch import Tensor

from worldloom.generate.canvas import Canvas
from worldloom.generate.conform import Frames
from worldloom.generate.deflicker import deflicker
from worldloom.generate.denoise import Words
from worldloom.generate.detail import Neighbour, restore
from worldloom.generate.dissolve import Edge, dissolve
from worldloom.generate.engine import Engine, OnStep
from worldloom.generate.journal import Journal
from worldloom.generate.look import Look, Regulator, contrast_of, look_of, sharpness_of
from worldloom.generate.reference import refer
from worldloom.generate.request import Style
from worldloom.generate.size import Size
from worldloom.generate.window import CONTEXT, STRIDE, Window, plan_after, plan_before, plan_between


@dataclass(frozen=True)
class Surroundings:
    """Given footage right before and right after the new: uint8 [F, H, W, 3], as the model sees it, possibly none."""

    before: Frames
    after: Frames

    @property
    def still(self) -> bool:
        """Whether what follows is one picture."""
        return len(self.after) == 1


class Painter:
    """Paints the canvases of one request in turn, or reads what an earlier run finished, and counts its steps."""

    def __init__(
        self, engine: Engine, style: Style, size: Size, journal: Journal, on_step: OnStep | None = None
    ) -> None:
        self.engine, self.style, self.size, self.journal = engine, style, size, journal
        self.on_step = on_step
        self.prompt = style.prompt
        self.words: Words | None = None
        self.steps_done = self.steps_total = 0

    def say(self, prompt: str | None) -> None:
        """Paint from now on what `prompt` says; None means what the request says."""
        prompt = self.style.prompt if prompt is None else prompt
        if prompt != self.prompt:
            self.prompt, self.words = prompt, None

    def expect(self, canvases: int) -> None:
        """Announce how many canvases there will be, beyond those announced before."""
        self.steps_total += canvases * self.style.num_steps
        if self.on_step is not None:
            self.on_step(self.steps_done, self.steps_total)

    def paint(
        self,
        lay_out: Callable[[], Canvas],
        wanted: slice,
        before: Neighbour | None = None,
        after: Neighbour | None = None,
        look: Callable[[], Look] | None = None,
    ) -> Iterator[Frames]:
        """Paint the next canvas, held to a `look` if there is one, and yield its `wanted` frames.

        They get the detail of the given frames next to them, what wanders in them is held still, and they dissolve into
        given frames where they do not meet them.
        """
        part = self.journal.next_part()
        if (finished := self.journal.recall(part)) is not None:
            self._step(self.style.num_steps)
            return finished
        if self.words is None:  # once per prompt, and only when painting really starts
            self.words = self.engine.read(replace(self.style, prompt=self.prompt))
        canvas = lay_out()
        left, right = (None if neighbour is None else neighbour.edge for neighbour in (before, after))
        # what is drawn to a model's own frames, canvas after canvas, loses the detail it would have painted anew
        style = self.style if left or right else replace(self.style, stillness=0.0)
        latents = self.engine.paint(canvas, self.words, style, part, self._step)
        if look is not None:
            latents = look().hold(latents, (canvas.start == 1).flatten(1).all(dim=1))
        frames = restore(self.engine.decode(latents), wanted, before, after)
        if self.style.deflicker > 0:
            beside = (None if neighbour is None else neighbour.picture for neighbour in (before, after))
            frames = deflicker(frames, self.style.deflicker, *beside)
        return self.journal.record(part, dissolve(frames, wanted.stop - wanted.start, left, right))

    def _step(self, steps: int = 1) -> None:
        self.steps_done += steps
        if self.on_step is not None:
            self.on_step(self.steps_done, self.steps_total)


def grow(painter: Painter, given: Surroundings, count: int) -> Iterator[Frames]:
    """Yield exactly `count` new frames that follow `given.before` and run into `given.after`, in order of time.

    Footage before given footage is painted from its end, so it is held in memory until its beginning is there; all
    else is yielded as it is decoded.
    """
    span, still = painter.engine.span, given.still
    if count == 0:
        return
    painter.journal.check_given(given.before, given.after)
    if len(given.before) or not len(given.after):
        windows = (
            plan_between(count, len(given.before), still, span)
            if len(given.after)
            else plan_after(count, len(given.before), span)
        )
        painter.expect(len(windows))
        yield from _grow_forward(painter, windows, given)
    else:
        windows = plan_before(count, still, span)
        painter.expect(len(windows))
        yield from _grow_backward(painter, windows, given.after)


def _grow_forward(painter: Painter, windows: list[Window], given: Surroundings) -> Iterator[Frames]:
    tail = given.before
    opening = tail[len(tail) - windows[0].prefix :]

    @cache
    def look_of_opening() -> Look:
        return look_of(painter.engine.encode(opening[: len(opening) - (len(opening) - 1) % STRIDE]))

    regulators: list[Regulator] = []
    for number, window in enumerate(windows):
        look = None
        if number:
            # measured of finished canvases too, so that a run that goes on does what it would have done
            measures = contrast_of(tail), sharpness_of(tail)
            form, detail = (r.after(measured) for r, measured in zip(regulators, measures, strict=True))
            look = partial(_regulated, look_of_opening, form, detail)
        for chunk in _paint_window(painter, window, tail, given.after, look, meets_before=number == 0):
            tail = np.concatenate([tail, chunk])[-max(CONTEXT, painter.engine.span.shortest) :]
            if number == 0:
                opening = np.concatenate([opening, chunk])
            yield chunk
        if number == 0 and len(windows) > 1:
            regulators = [Regulator(contrast_of(opening)), Regulator(sharpness_of(opening))]


def _regulated(look: Callable[[], Look], form: float, detail: float) -> Look:
    return replace(look(), more_form=form, more_detail=detail)


def _grow_backward(painter: Painter, windows: list[Window], after: Frames) -> Iterator[Frames]:
    parts: list[Frames] = []
    for window in windows:
        chunks = _paint_window(painter, window, after[:0], after, meets_after=not parts)
        parts.insert(0, np.concatenate(list(chunks)))
        after = np.concatenate([parts[0], after])
    yield from parts


def _paint_window(
    painter: Painter,
    window: Window,
    before: Frames,
    after: Frames,
    look: Callable[[], Look] | None = None,
    meets_before: bool = True,
    meets_after: bool = True,
) -> Iterator[Frames]:
    """Yield the new frames of a window between the footage before and after it.

    Footage that is the model's own is gone on from, not met: what dissolves from window to window leaves ghosts.
    """
    left = right = None
    if window.prefix:
        edge = Edge(before[::-1]) if meets_before else None
        left = Neighbour(before[-1], window.prefix - 1, edge)
    if window.suffix:
        picture = after[min(max(0, window.offset), len(after) - 1)]
        edge = Edge(after) if meets_after else None
        right = Neighbour(picture, window.frames - window.suffix, edge)
    return painter.paint(partial(_lay_out, painter, window, before, after), window.shown, left, right, look)


def _lay_out(painter: Painter, window: Window, before: Frames, after: Frames) -> Canvas:
    """Return the canvas of a window, with its known frames encoded into place."""
    canvas = painter.engine.canvas(painter.size, window.frames)
    if window.prefix:
        canvas = canvas.keep_prefix(painter.engine.encode(before[-window.prefix :]))
    if window.suffix:
        canvas = canvas.keep_suffix(encode_suffix(painter.engine, after, window))
    if painter.engine.stacks_channels:
        ending = (
            _held(after, max(0, window.offset) + window.suffix)[-window.suffix :]
            if window.suffix
            else after[:0]
        )
        reference = refer(before[len(before) - window.prefix :], ending, window.frames, painter.engine.device)
        canvas = replace(canvas, reference=reference)
    return canvas


def encode_suffix(engine: Engine, after: Frames, window: Window) -> Tensor:
    """Return the latents of a window's suffix as if what comes before it in the canvas were known.

    The encoder is causal: its first latent frame stands for one picture, later ones for four and for what came before,
    and an encoder trained on short clips codes the fifth latent frame unlike the ninth. So the suffix is encoded at its
    own place, behind a past as long as the canvas's: its first frame held. Against latents encoded behind the real past
    (9 frames, then a suffix of 8; 6 takes, the first weights, 2026-11) the two latent frames err by 12 % and 4 % of
    their size; with that past mirrored by 16 and 6 %, behind 17 mirrored frames by 73 and 78 %.
    """
    offset = max(0, window.offset)  # a still picture is the same throughout
    past = np.repeat(after[:1], window.frames - window.suffix - offset, axis=0)
    frames = np.concatenate([past, _held(after, offset + window.suffix)])
    return engine.encode(frames)[:, :, -(window.suffix // STRIDE) :]


def _held(frames: Frames, count: int) -> Frames:
    """Return the first `count` frames, the last one held where there are fewer."""
    return np.pad(frames[:count], ((0, max(0, count - len(frames))), (0, 0), (0, 0), (0, 0)), mode="edge")
