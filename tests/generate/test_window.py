"""Window plans: every wanted frame once, canvases that were trained for, known frames on latent borders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldloom.core.error import UsageError
from worldloom.generate.window import STRIDE, Span, Window, plan_after, plan_before, plan_between

spans = st.sampled_from([Span(17, 33), Span(9, 17), Span(5, 9), Span(33, 81), Span(17, 33, pictures=True)])


def wanted(windows: list[Window]) -> int:
    return sum(len(range(window.frames)[window.shown]) for window in windows)


@given(spans, st.integers(1, 300), st.integers(0, 40))
def test_after_makes_every_frame(span: Span, count: int, before: int) -> None:
    windows = plan_after(count, before, span)
    assert wanted(windows) == count
    for window in windows:
        assert window.frames <= span.longest
        assert window.frames >= span.shortest or window.frames == 1
        assert window.prefix == 0 or window.prefix % STRIDE == 1
        assert window.prefix <= before  # only frames that are there are known
        before += window.new


@given(spans, st.integers(1, 300), st.booleans())
def test_before_makes_every_frame(span: Span, count: int, still: bool) -> None:
    windows = plan_before(count, still, span)
    assert wanted(windows) == count
    for window in windows:
        assert span.shortest <= window.frames <= span.longest
        assert window.suffix > 0 and window.suffix % STRIDE == 0
        assert window.shown.stop == window.frames - window.suffix  # new footage touches what follows


@given(spans, st.integers(1, 300), st.integers(1, 40), st.booleans())
def test_between_makes_every_frame_and_lands(span: Span, count: int, before: int, still: bool) -> None:
    windows = plan_between(count, before, still, span)
    assert wanted(windows) == count
    assert [bool(window.suffix) for window in windows] == [False] * (len(windows) - 1) + [True]
    for window in windows:
        assert window.frames <= span.longest
        assert window.prefix % STRIDE == 1 and window.prefix <= before
        before += window.new
    last = windows[-1]
    # The suffix begins `offset` frames into what follows: early only for a picture, which is the same throughout.
    assert last.shown.stop + last.offset == last.frames - last.suffix
    assert (-STRIDE < last.offset <= 0) if still else (0 <= last.offset < STRIDE)


def test_one_frame_is_a_picture_only_where_pictures_were_trained() -> None:
    assert plan_after(1, 0, Span(17, 33, pictures=True)) == [Window(frames=1, new=1)]
    assert plan_after(1, 0, Span(17, 33)) == [Window(frames=17, new=1)]


def test_the_trained_length_is_one_canvas() -> None:
    assert plan_after(33, 0, Span(17, 33)) == [Window(frames=33, new=33)]
    assert plan_after(32, 1, Span(17, 33)) == [Window(frames=33, new=32, prefix=1)]
    assert [window.prefix for window in plan_after(64, 0, Span(17, 33))] == [0, 9, 9]


def test_a_model_of_pictures_cannot_land() -> None:
    with pytest.raises(UsageError, match="at most 5 frames"):
        plan_before(4, False, Span(5, 5))
