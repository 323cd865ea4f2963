"""Every verb with its arguments as users write them, checked before a model runs; what comes back is not yet painted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, TypedDict, Unpack, cast

from worldloom.core.error import UsageError
from worldloom.core.video import read_video
from worldloom.generate import verbs
from worldloom.generate.board import Board, Material, gather, lay_out
from worldloom.generate.board_file import read_board
from worldloom.generate.card import Card
from worldloom.generate.clip import Clip, Footage
from worldloom.generate.conform import Frames
from worldloom.generate.engine import Engine, OnStep
from worldloom.generate.enlarge import check_upsampler, enlarge, native_for
from worldloom.generate.preset import find_preset
from worldloom.generate.recorded import recorded_request
from worldloom.generate.request import check_fps, check_style, count_frames
from worldloom.generate.size import Size, check_size, nearest_sizes, parse_size
from worldloom.generate.source import Picture, Source, read_clip, read_picture
from worldloom.generate.stretches import read_stretches
from worldloom.generate.timeline import Timeline

BRIDGE_SECONDS = 1.0  # of new footage in a loop or between two clips, unless told


class Options(TypedDict, total=False):
    """How to paint, in every verb; what is left out is the model's own choice.

    seed: -1 (random, recorded in the settings) or 0 to 2**63 - 1; the same seed gives the same frames.
    steps: sampler steps, 1 to 1000. guidance: 1 (the prompt as it comes) to 50. negative: what should not be seen.
    sampler: euler, heun or unipc. shift: more than 1 spends more steps at high noise. temperature: deviation of the
    noise that a clip begins with, 0 to 2; less than 1 is cleaner, calmer and paler. epsilon_scale: 0.5 to 1.5 times the
    noise that the model finds is taken away at low levels where nothing is given; more is calmer. deflicker: levels of
    255, 0 to 64, within which what wanders in new footage is held still; edits are left as they are. history_guidance: how
    closely to follow given frames, 1 to 50, in place of guidance where there are any; 0 keeps guidance. stillness: how far from
    given frames, 0 to 2 deviations of the latents, what is painted at the same place still counts as the same.
    reuse: 0 (every step is computed) to 0.5; steps are told from the last ones while the velocity moves less than this
    share of itself; 0.1 halves the time of 30 steps or more. guidance_range: noise levels, 0 to 1, outside which the
    prompt is taken as it comes.
    style: the name of a preset of the package or of the user's, which adds words to the prompt and stands in for what
    is left out here.
    on_step: called with (steps done, steps in all), first with 0 done.
    """

    seed: int
    steps: int | None
    guidance: float | None
    negative: str
    sampler: str | None
    shift: float | None
    temperature: float | None
    epsilon_scale: float | None
    deflicker: float | None
    history_guidance: float | None
    stillness: float | None
    reuse: float | None
    guidance_range: tuple[float, float] | None
    style: str | None
    on_step: OnStep | None


@dataclass(frozen=True)
class Stream:
    """The verbs of a loaded checkpoint; each returns `Footage`, which runs the models when it is read or saved.

    All raise UsageError for a request that is wrong or impossible, with the actual and the allowed values.
    """

    engine: Engine
    upsampler: ClassVar[str] = "tiny"
    """What sizes the model does not paint are made with, unless told."""

    @property
    def card(self) -> Card:
        """What the checkpoint says about itself."""
        return self.engine.card

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the prompt's words that the model has never seen in training."""
        return self.engine.tokenizer.unknown_words(prompt)

    def generate(
        self,
        prompt: str,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        size: str | tuple[int, int] | None = None,
        fps: float | None = None,
        image: Picture | None = None,
        last_image: Picture | None = None,
        force_size: bool = False,
        upsampler: str = upsampler,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint what `prompt` says.

        Args:
            seconds, num_frames: one or the other; neither means as long as the model was trained on.
            size: `"160x96"`, `"480p"`, (160, 96); None means the one nearest to a given picture, or the model's first.
            fps: frames per second of the result, 1 to 120; None means the model's own.
            image, last_image: the first and the last frame; scaled to cover `size`.
            force_size: paint a size the model was not trained on.
            upsampler: how such a size is met otherwise, from the nearest trained one of its shape: `tiny` (the
                network in the package), `lanczos`, or `none`, which refuses it.
        """
        card = self.engine.card
        rate = check_fps(fps, card.fps)
        longest = round(card.longest * rate / card.fps)
        count = count_frames(rate, seconds=seconds, num_frames=num_frames, default=max(1, longest))
        first, last = (None if picture is None else read_picture(picture) for picture in (image, last_image))
        brush = self._brush(prompt, options)
        wanted = None if size is None else parse_size(size)
        painted = self._size(wanted, force_size, first, last, check_upsampler(upsampler))
        footage = verbs.generate(brush, count, painted, rate, first, last)
        return enlarge(footage, wanted or painted, upsampler, self.engine.device)

    def image(
        self,
        prompt: str,
        *,
        size: str | tuple[int, int] | None = None,
        force_size: bool = False,
        upsampler: str = upsampler,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint one frame of what `prompt` says."""
        return self.generate(
            prompt, num_frames=1, size=size, force_size=force_size, upsampler=upsampler, **options
        )

    def extend(
        self,
        clip: Source,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        backward: bool = False,
        prompt: str | None = None,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint new footage after a clip, or before it; the clip's own frames stay to the bit.

        `prompt` None takes the one recorded in the clip, if any.
        """
        source = self._read(clip)
        count = count_frames(source.fps, seconds=seconds, num_frames=num_frames)
        return verbs.extend(self._brush_for(source, prompt, options), source, count, backward)

    def loop(
        self,
        clip: Source,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        prompt: str | None = None,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint a closing stretch after a clip so that its last frame runs into its first."""
        source = self._read(clip)
        return verbs.loop(
            self._brush_for(source, prompt, options), source, _bridge(source, seconds, num_frames)
        )

    def connect(
        self,
        first: Source,
        second: Source,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        prompt: str | None = None,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint new footage between two clips of one size and rate."""
        a, b = self._read(first), self._read(second)
        return verbs.connect(self._brush_for(a, prompt, options), a, b, _bridge(a, seconds, num_frames))

    def edit(
        self,
        clip: Source,
        prompt: str,
        *,
        strength: float | None = None,
        mask: Source | None = None,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint a clip anew in the same motion, or only a region of it.

        Args:
            strength: more than 0, where little changes, to 1, where nothing of the old look is kept; None means 0.85,
                or 1 inside a mask.
            mask: a picture or clip of the clip's size, bright where it may change; elsewhere it stays to the bit.
        """
        return self._edit("edit", self._read(clip), prompt, strength, mask, options)

    def remix(
        self,
        clip: Source,
        prompt: str | None = None,
        *,
        strength: float | None = None,
        mask: Source | None = None,
        **options: Unpack[Options],
    ) -> Footage:
        """Paint a clip anew as `edit` does, by the settings recorded in it; what is given here takes their place.

        `prompt` None keeps the recorded one. The seed is not taken over, as it would bring the same clip back. Raises
        UsageError for a clip without our settings.
        """
        source = self._read(clip)
        recorded = recorded_request(source.settings, "the clip" if isinstance(clip, Clip) else str(clip))
        given = {name: value for name, value in options.items() if value not in (None, "")}
        words = recorded.pop("prompt")
        if "style" in given:  # another style brings settings of its own
            recorded.clear()
        how = cast(Options, {**recorded, **given})
        return self._edit("remix", source, words if prompt is None else prompt, strength, mask, how)

    def recut(
        self,
        clip: Source,
        keep: str | Sequence[tuple[float, float]],
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        prompt: str | None = None,
        **options: Unpack[Options],
    ) -> Footage:
        """Keep the best stretches of a clip at their own times, and paint what is before, between and after them.

        Args:
            keep: stretches in seconds, in order: `"0.5-1.5,3-4"` or [(0.5, 1.5), (3, 4)].
            seconds, num_frames: of the result; neither means as long as the clip.
        """
        source = self._read(clip)
        count = count_frames(source.fps, seconds=seconds, num_frames=num_frames, default=len(source.frames))
        kept = read_stretches(keep, source, count)
        return verbs.recut(self._brush_for(source, prompt, options), source, kept, count)

    def storyboard(self, board: Board | str | os.PathLike[str], **options: Unpack[Options]) -> Footage:
        """Paint a storyboard, a `Board` or a YAML file: text, picture and clip cards at given times.

        Pictures and clips come out as they are; the time that they leave is painted in the words of the latest card.
        """
        board = board if isinstance(board, Board) else read_board(board)
        material = gather(board, Fraction(self.card.fps))
        size, rate = self._board_shape(board, material)
        count = count_frames(rate, seconds=board.seconds)
        timeline = Timeline(size, rate, lay_out(board, material, size, rate, count))
        brush = self._brush(board.prompt, options, needs_prompt=False)
        return verbs.storyboard(brush, timeline, [each.record() for each in board.cards])

    def _read(self, source: Source) -> Clip:
        return read_clip(source, check_fps(None, self.engine.card.fps))

    def _brush(self, prompt: str, options: Options, needs_prompt: bool = True) -> verbs.Brush:
        preset = find_preset(options.get("style"))
        how = {name: value for name, value in options.items() if name not in ("on_step", "style")}
        style = check_style(self.engine.card, prompt, needs_prompt=needs_prompt, **preset.fill(how))
        named = replace(style, name=options.get("style"), preset=preset)
        return verbs.Brush(self.engine, named, options.get("on_step"))

    def _brush_for(self, clip: Clip, prompt: str | None, options: Options) -> verbs.Brush:
        """Return the brush for footage beside a clip, which may say enough without words."""
        words = str(clip.settings.get("prompt", "")) if prompt is None else prompt
        return self._brush(words, options, needs_prompt=prompt is not None)

    def _edit(
        self,
        verb: str,
        clip: Clip,
        prompt: str,
        strength: float | None,
        mask: Source | None,
        options: Options,
    ) -> Footage:
        region = None if mask is None else mask.frames if isinstance(mask, Clip) else read_video(mask).frames
        if strength is None:
            strength = 0.85 if region is None else 1.0
        return verbs.edit(self._brush(prompt, options), clip, strength, region, verb)

    def _board_shape(self, board: Board, material: Material) -> tuple[Size, Fraction]:
        """Return a board's size and frame rate; clips on it keep theirs, and so decide them."""
        size = None if board.size is None else parse_size(board.size)
        if not material.clips:
            return self._size(size, False, material.first_picture, None), check_fps(board.fps, self.card.fps)
        clip = material.clips[0][1]
        for label, asked, has in (("size", size, clip.size), ("fps", board.fps, clip.fps)):
            if asked not in (None, has):
                raise UsageError(
                    f"{board.place}: {label} is {asked} and the clips' is {has}; leave it out, as clips stay as they are"
                )
        return clip.size, clip.fps

    def _size(
        self,
        size: Size | None,
        force: bool,
        first: Frames | None,
        last: Frames | None,
        upsampler: str = "none",
    ) -> Size:
        """Return the size to paint, which with an upsampler need only be like the `size` asked for."""
        trained, given = self.engine.card.trained_sizes, first if first is not None else last
        if size is not None and upsampler != "none" and not force and size not in trained:
            return native_for(size, trained)
        if size is not None:
            return check_size(size, trained, self.engine.multiple, force)
        if given is not None:
            return nearest_sizes(Size(given.shape[2], given.shape[1]), trained)[0]
        return trained[0]


def _bridge(clip: Clip, seconds: float | None, num_frames: int | None) -> int:
    default = max(1, round(BRIDGE_SECONDS * clip.fps))
    return count_frames(clip.fps, seconds=seconds, num_frames=num_frames, default=default)
