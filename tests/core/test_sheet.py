"""Contact sheets show each clip from first to last frame."""

import numpy as np
import pytest

from tests.core.footage import numbered
from worldloom.core.error import UsageError
from worldloom.core.sheet import GAP, LABEL_HEIGHT, contact_sheet


def test_frames_are_spread_from_first_to_last():
    clip = numbered(33)
    sheet = contact_sheet([clip], columns=4)
    assert sheet.shape == (48 + GAP, 4 * (64 + GAP), 3)
    for column, index in enumerate([0, 11, 21, 32]):
        left = column * (64 + GAP)
        assert (sheet[:48, left : left + 64] == clip[index]).all()


def test_clips_of_any_size_and_length():
    clips = [numbered(1), numbered(3, 96, 32), numbered(40, 32, 64)]
    sheet = contact_sheet(clips, columns=5, labels=["one", "two", "three"])
    assert sheet.shape == (48 + 32 + 64 + 3 * (GAP + LABEL_HEIGHT), 3 * (96 + GAP), 3)
    assert sheet[:LABEL_HEIGHT].max() > 200  # the label is written
    assert (sheet[LABEL_HEIGHT : LABEL_HEIGHT + 48, :64] == clips[0][0]).all()


def test_wrong_requests():
    with pytest.raises(UsageError, match="needs clips"):
        contact_sheet([])
    with pytest.raises(UsageError, match="1 labels were given for 2 clips"):
        contact_sheet([np.zeros((1, 2, 2, 3), np.uint8)] * 2, labels=["a"])
