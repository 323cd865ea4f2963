from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldloom.training.masking import MaskConfig, draw_mask

ONLY = {kind: replace(MaskConfig(*[0.0] * 9), **{kind: 1.0}) for kind in MaskConfig().weights()}


def masks(config, grid, count=60):
    generator = np.random.default_rng(0)
    return [draw_mask(config, grid, generator) for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
def test_something_is_always_unknown(frames, height, width, seed):
    mask = draw_mask(MaskConfig(), (frames, height, width), np.random.default_rng(seed))
    assert mask.known.shape == (frames, height, width)
    assert not mask.known.all()
    if frames == 1:
        assert mask.kind in ("nothing", "region")


def frame_masks(kind, frames):
    known = [m.known for m in masks(ONLY[kind], (frames, 3, 4))]
    assert all((k.all((1, 2)) | ~k.any((1, 2))).all() for k in known), "frames are known as a whole"
    return [k[:, 0, 0] for k in known]


def test_first_frame():
    assert all(k.tolist() == [True, False, False] for k in frame_masks("first", 3))


def test_prefixes_of_two_and_more():
    lengths = {int(k.sum()) for k in frame_masks("prefix", 5)}
    assert lengths == {2, 3, 4}
    assert all(k[: k.sum()].all() for k in frame_masks("prefix", 5))
    assert {int(k.sum()) for k in frame_masks("prefix", 2)} == {1}


def test_suffixes():
    assert {int(k.sum()) for k in frame_masks("suffix", 4)} == {1, 2, 3}
    assert all(k[-k.sum() :].all() for k in frame_masks("suffix", 4))


def test_both_ends_leave_a_gap():
    for known in frame_masks("ends", 6):
        assert known[0] and known[-1] and np.diff(known.astype(int)).tolist().count(-1) == 1


def test_a_dissolve_leads_evenly_from_one_clip_into_another():
    for mask in masks(ONLY["dissolve"], (6, 3, 4)):
        known, second = mask.known[:, 0, 0], mask.second
        head, tail = int(np.argmin(known)), int(np.argmin(known[::-1]))
        assert head and tail and not second[:head].any() and (second[-tail:] == 1).all()
        assert np.allclose(
            np.diff(second[head - 1 : len(second) - tail + 1]), 1 / (len(second) - head - tail + 1)
        )
    assert not any(
        mask.second.any() for kind in ("ends", "first", "region") for mask in masks(ONLY[kind], (6, 3, 4))
    )


def test_scattered_frames():
    patterns = {tuple(k.tolist()) for k in frame_masks("scattered", 5)}
    assert len(patterns) > 10
    assert all(0 < sum(p) < 5 for p in patterns)


def test_region_is_a_box_through_all_frames():
    for mask in masks(ONLY["region"], (3, 8, 8)):
        unknown = ~mask.known
        assert (unknown == unknown[:1]).all()
        rows, columns = np.nonzero(unknown[0])
        assert unknown[0].sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_kinds_come_as_often_as_configured():
    count = Counter(m.kind for m in masks(MaskConfig(), (5, 4, 4), 4000))
    for kind, weight in MaskConfig().weights().items():
        assert count[kind] / 4000 == pytest.approx(weight / 100, abs=0.025)


def test_levels_ask_for_one_level_per_frame():
    assert all(m.levels_per_frame and not m.known.any() for m in masks(ONLY["levels"], (4, 2, 2), 5))
    assert not masks(ONLY["first"], (4, 2, 2), 1)[0].levels_per_frame
