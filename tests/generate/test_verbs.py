"""Every verb: the count asked for, the given frames to the bit, the same seed the same frames."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.generate.conftest import moving_clip
from worldloom.core.error import UsageError
from worldloom.generate.clip import Clip
from worldloom.generate.dissolve import STILL, changes
from worldloom.generate.engine import Engine
from worldloom.generate.stream import Stream

PROMPT = "a red ball bounces on a wooden floor"


@pytest.mark.parametrize("num_frames", [1, 2, 8, 9, 13, 17, 18, 40])
def test_text_to_video_has_the_frames_asked_for(stream: Stream, num_frames: int) -> None:
    footage = stream.generate(PROMPT, num_frames=num_frames, size="48x32", seed=1)
    clip = footage.clip()
    assert clip.frames.shape == (footage.num_frames, 32, 48, 3) == (num_frames, 32, 48, 3)
    assert clip.fps == 16 and clip.settings["frames"] == num_frames


def test_the_seed_decides(stream: Stream) -> None:
    def frames(seed: int) -> np.ndarray:
        return stream.generate(PROMPT, num_frames=20, seed=seed).clip().frames

    assert np.array_equal(frames(7), frames(7))
    assert not np.array_equal(frames(7), frames(8))


def test_words_guidance_and_negative_words_decide(stream: Stream) -> None:
    def frames(prompt: str = PROMPT, **options: Any) -> np.ndarray:
        return stream.generate(prompt, num_frames=9, seed=7, **options).clip().frames

    plain = frames()
    for other in (
        frames("一个蓝色的箱子"),
        frames(guidance=4.0),
        frames(negative="blue"),
        frames(guidance=1.0),
    ):
        assert not np.array_equal(plain, other)
    # Without guidance nothing is held against the negative prompt.
    assert np.array_equal(frames(guidance=1.0), frames(guidance=1.0, negative="blue"))


@pytest.mark.parametrize("sampler", ["euler", "heun", "unipc"])
def test_every_sampler_paints(stream: Stream, sampler: str) -> None:
    first = moving_clip(1).frames[0]
    clip = stream.generate(PROMPT, num_frames=9, seed=7, steps=3, sampler=sampler, image=first).clip()
    assert np.array_equal(clip.frames[0], first) and clip.settings["sampler"] == sampler
    assert np.ptp(clip.frames[1:]) > 0


def test_guidance_is_one_batch_of_two(engine: Engine, stream: Stream) -> None:
    """Guidance equals conditional and unconditional runs of the model mixed by hand."""
    batches: list[int] = []
    hook = engine.transformer.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    try:
        stream.generate(PROMPT, num_frames=9, steps=3).clip()
        stream.generate(PROMPT, num_frames=9, steps=3, guidance=1.0).clip()
    finally:
        hook.remove()
    assert batches == [2, 2, 2, 1, 1, 1]


def test_other_frame_rates_show_the_same_motion(stream: Stream) -> None:
    native = stream.generate(PROMPT, seconds=1, seed=7).clip()
    half = stream.generate(PROMPT, seconds=1, seed=7, fps=8).clip()
    assert (len(native.frames), len(half.frames)) == (16, 8)
    assert np.array_equal(half.frames, native.frames[::2])


@pytest.mark.parametrize("verb", ["extend", "extend backward", "loop", "connect", "recut"])
def test_even_an_untrained_model_meets_what_is_given(stream: Stream, verb: str) -> None:
    """Nothing that it paints continues anything; still no join changes much more than frames do elsewhere."""
    given = moving_clip(17)
    how = {"num_frames": 20, "seed": 5, "steps": 2}
    paint = {
        "extend": lambda: (stream.extend(given, **how), [17]),
        "extend backward": lambda: (stream.extend(given, backward=True, **how), [20]),
        "loop": lambda: (stream.loop(given, **how), [17, 0]),
        "connect": lambda: (stream.connect(given, moving_clip(14, step=2), **how), [17, 37]),
        "recut": lambda: (stream.recut(given, [(0.25, 0.75)], **{**how, "num_frames": 40}), [4, 12]),
    }
    footage, joins = paint[verb]()
    frames = footage.clip().frames
    found = changes(np.concatenate([frames[-1:], frames]))  # found[n]: from frame n - 1 to n, in a circle
    for join in joins:
        around = [found[(join + step) % len(found)] for step in range(-8, 9) if step]
        assert found[join] <= 1.5 * max(np.median(around), STILL), (join, found.round(1))


@pytest.mark.parametrize("num_frames", [2, 5, 12, 16, 17, 30])
def test_first_and_last_image_are_kept(stream: Stream, num_frames: int) -> None:
    first, last = moving_clip(1).frames[0], moving_clip(12).frames[-1]
    both = stream.generate(PROMPT, num_frames=num_frames, image=first, last_image=last).clip()
    assert len(both.frames) == num_frames
    assert np.array_equal(both.frames[0], first) and np.array_equal(both.frames[-1], last)
    ending = stream.generate(PROMPT, num_frames=num_frames, last_image=last).clip()
    assert len(ending.frames) == num_frames and np.array_equal(ending.frames[-1], last)
    assert ending.settings["given"] == ["last frame"]


def test_a_picture_decides_the_size(stream: Stream) -> None:
    tall = np.zeros((90, 50, 3), np.uint8)
    assert stream.generate(PROMPT, image=tall).size == (32, 48)
    assert stream.generate(PROMPT, image=tall, size="48x32").size == (48, 32)


@pytest.mark.parametrize("source", [1, 3, 9, 21])
@pytest.mark.parametrize("num_frames", [1, 6, 30])
def test_extension_keeps_the_clip(stream: Stream, source: int, num_frames: int) -> None:
    clip = moving_clip(source)
    later = stream.extend(clip, num_frames=num_frames, seed=1).clip()
    assert len(later.frames) == source + num_frames
    assert np.array_equal(later.frames[:source], clip.frames)
    earlier = stream.extend(clip, num_frames=num_frames, backward=True, seed=1).clip()
    assert len(earlier.frames) == source + num_frames
    assert np.array_equal(earlier.frames[-source:], clip.frames)
    assert later.settings["prompt"] == "a red box slides"  # the one recorded in the clip


def test_a_clip_keeps_its_size_and_rate(stream: Stream) -> None:
    clip = moving_clip(20, width=70, height=50, fps=30)
    longer = stream.extend(clip, seconds=1, seed=1).clip()
    assert longer.size == (70, 50) and longer.fps == 30 and len(longer.frames) == 50
    assert np.array_equal(longer.frames[:20], clip.frames)


@pytest.mark.parametrize("num_frames", [1, 4, 7, 25])
def test_loop_and_connection_keep_their_clips(stream: Stream, num_frames: int) -> None:
    a, b = moving_clip(12), moving_clip(10, step=2)
    looped = stream.loop(a, num_frames=num_frames, seed=1).clip()
    assert len(looped.frames) == 12 + num_frames and np.array_equal(looped.frames[:12], a.frames)
    joined = stream.connect(a, b, num_frames=num_frames, seed=1).clip()
    assert len(joined.frames) == 22 + num_frames
    assert np.array_equal(joined.frames[:12], a.frames) and np.array_equal(joined.frames[-10:], b.frames)


@pytest.mark.parametrize(
    "verb",
    [
        lambda s, clip: s.extend(clip, num_frames=8, seed=1),
        lambda s, clip: s.extend(clip, num_frames=8, backward=True, seed=1),
        lambda s, clip: s.loop(clip, num_frames=8, seed=1),
    ],
)
def test_new_footage_sees_the_clip(stream: Stream, verb: Callable[[Stream, Clip], Any]) -> None:
    def new(clip: Clip) -> np.ndarray:
        frames = verb(stream, clip).clip().frames
        return frames[:8] if np.array_equal(frames[-9:], clip.frames) else frames[-8:]

    clip = moving_clip(9)
    other = replace(clip, frames=255 - clip.frames)
    assert np.array_equal(new(clip), new(clip))
    assert not np.array_equal(new(clip), new(other))


@pytest.mark.parametrize("num_frames", [1, 6, 17, 40])
def test_edit_has_the_clips_frames(stream: Stream, num_frames: int) -> None:
    clip = moving_clip(num_frames, width=40, height=40)
    edited = stream.edit(clip, PROMPT, strength=0.5, seed=1).clip()
    assert edited.frames.shape == clip.frames.shape and edited.fps == clip.fps
    assert edited.settings["strength"] == 0.5 and edited.settings["masked"] is False


def test_strength_is_the_share_of_the_schedule(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def repaint(painter, frames, level, region):
        begun.append(level)
        yield frames

    monkeypatch.setattr("worldloom.generate.verbs.repaint", repaint)
    for strength, shift in ((0.5, 1.0), (0.5, 3.0), (0.85, 3.0), (1.0, 5.0)):
        stream.edit(moving_clip(9), PROMPT, strength=strength, shift=shift, seed=1).clip()
    assert begun == pytest.approx([0.5, 0.75, 2.55 / 2.7, 1.0])


def test_less_strength_changes_less(stream: Stream, engine: Engine) -> None:
    clip = moving_clip(17)
    kept = np.concatenate(list(engine.decode(engine.encode(clip.frames)))).astype(int)
    changes = [
        np.abs(stream.edit(clip, PROMPT, strength=s, seed=1).clip().frames - kept).mean()
        for s in (0.01, 0.3, 1.0)
    ]
    assert changes == sorted(changes) and changes[0] < 0.2 * changes[2]


@pytest.mark.parametrize("num_frames", [9, 30])
def test_outside_the_mask_the_source_stays(stream: Stream, num_frames: int) -> None:
    clip = moving_clip(num_frames)
    mask = np.zeros((1, 32, 32, 3), np.uint8)
    mask[:, 6:26, 6:26] = 255
    edited = stream.edit(clip, PROMPT, mask=Clip(mask, Fraction(16)), seed=1).clip()
    inside = mask[0, :, :, 0] > 0
    assert np.array_equal(edited.frames[:, ~inside], clip.frames[:, ~inside])
    changed = (edited.frames != clip.frames).any(axis=-1)[:, inside].mean(axis=1)
    assert changed.min() > 0.5  # in every frame


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (lambda s: s.generate("", num_frames=9), "prompt is empty"),
        (lambda s: s.generate(PROMPT, size="7x7"), "7x7"),
        (lambda s: s.generate(PROMPT, seconds=0.0), "seconds is 0"),
        (
            lambda s: s.generate(
                PROMPT,
                num_frames=1,
                image=np.zeros((9, 9, 3), np.uint8),
                last_image=np.zeros((9, 9, 3), np.uint8),
            ),
            "cannot hold both",
        ),
        (lambda s: s.generate(PROMPT, image=np.zeros((9, 9), np.uint8)), r"uint8 \[H, W, 3\]"),
        (lambda s: s.extend(moving_clip(9)), "give a duration"),
        (lambda s: s.connect(moving_clip(9), moving_clip(9, width=48)), "48x32"),
        (lambda s: s.connect(moving_clip(9), moving_clip(9, fps=8)), "8 frames per second"),
        (lambda s: s.edit(moving_clip(9), PROMPT, strength=0.0), "strength is 0"),
        (lambda s: s.edit(moving_clip(9), PROMPT, strength=1.5), "strength is 1.5"),
        (lambda s: s.edit(moving_clip(9), " "), "prompt is empty"),
        (lambda s: s.edit(moving_clip(9), PROMPT, mask=moving_clip(9, width=48)), "48x32"),
    ],
)
def test_impossible_requests_are_refused_before_anything_runs(
    stream: Stream, request_: Callable[[Stream], Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        request_(stream)


def test_steps_are_reported_from_none_to_all(stream: Stream) -> None:
    seen: list[tuple[int, int]] = []
    stream.generate(
        PROMPT, num_frames=20, steps=3, on_step=lambda done, total: seen.append((done, total))
    ).clip()
    assert seen == [(done, 6) for done in range(7)]  # two canvases of 17 frames at most


def test_a_model_without_pictures_cuts_one_from_a_clip() -> None:
    card = replace(tiny.CARD, num_frames=(9, 17))
    clip = Stream(tiny.engine(card)).image(PROMPT, seed=3).clip()
    assert clip.frames.shape == (1, 32, 32, 3)
