"""Timelines: given stretches to the bit wherever they stand, new ones that see both sides, one count of steps."""

from fractions import Fraction

import numpy as np

from tests.generate.conftest import moving_clip
from worldloom.generate.engine import Engine, OnStep
from worldloom.generate.journal import Journal
from worldloom.generate.layout import Painter
from worldloom.generate.request import check_style
from worldloom.generate.size import Size
from worldloom.generate.stream import Stream
from worldloom.generate.timeline import New, Piece, Timeline

CLIP = moving_clip(24)


def paint(engine: Engine, pieces: list[Piece], fps: int = 16, on_step: OnStep | None = None) -> np.ndarray:
    style = check_style(engine.card, "a red box slides", seed=1, steps=1, guidance=1.0)
    painter = Painter(engine, style, Size(32, 32), Journal(), on_step)
    timeline = Timeline(Size(32, 32), Fraction(fps), pieces)
    frames = np.concatenate(list(timeline.paint(painter)))
    assert len(frames) == timeline.num_frames
    return frames


def test_given_stretches_stay_where_they_stand(engine: Engine) -> None:
    a, b = CLIP.frames[:5], CLIP.frames[9:10]
    frames = paint(engine, [New(3), a, New(0), b, New(6), a, New(2)])
    assert len(frames) == 22
    assert np.array_equal(frames[3:9], np.concatenate([a, b])) and np.array_equal(frames[15:20], a)


def test_a_new_stretch_sees_new_ones_and_what_is_given_next(engine: Engine) -> None:
    picture = CLIP.frames[:1]
    words = [New(8, "a red ball"), New(8, "a blue box")]
    plain = paint(engine, [*words, New(4), picture])
    before = paint(engine, [New(8, "something else"), words[1], New(4), picture])
    after = paint(engine, [*words, New(4), 255 - picture])
    assert not np.array_equal(plain[8:16], before[8:16])
    assert np.array_equal(plain[:16], after[:16]) and not np.array_equal(plain[16:20], after[16:20])


def test_steps_count_on_through_all_stretches(engine: Engine) -> None:
    seen: list[tuple[int, int]] = []
    paint(engine, [New(4), CLIP.frames[:9], New(4)], on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1), (1, 1), (1, 2), (2, 2)]


def test_recut_keeps_the_best_at_its_own_time(stream: Stream) -> None:
    cut = stream.recut(CLIP, "0.25-0.5,1-1.25", num_frames=28, seed=1, steps=1).clip()
    assert len(cut.frames) == 28 and cut.settings["kept"] == [[0.25, 0.5], [1.0, 1.25]]
    for kept in (slice(4, 8), slice(16, 20)):
        assert np.array_equal(cut.frames[kept], CLIP.frames[kept])
    for new in (slice(0, 4), slice(8, 16), slice(20, 24)):
        assert not np.array_equal(cut.frames[new], CLIP.frames[new])
    assert len(stream.recut(CLIP, [(0, 1)], seed=1).settings["kept"]) == 1
    assert sum(len(frames) for frames in cut.given) == 8
