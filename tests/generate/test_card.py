"""What a card must not say."""

from dataclasses import replace
from typing import Any

import pytest

from tests import tiny
from worldloom.core.error import UsageError


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sizes": ()}, "names no trained size"),
        ({"num_frames": (1, 18)}, r"must be 4n\+1, not \[1, 18\]"),
        ({"fps": 0}, "at least 1, not 0"),
    ],
)
def test_a_card_that_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        replace(tiny.CARD, **wrong)
