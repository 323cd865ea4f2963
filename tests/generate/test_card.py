"""What a card must not say, and what it may leave out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from worldloom.core.error import Failure, UsageError
from worldloom.generate.folder import CARD_FILE, find_folder, load_card


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


def test_a_folder_older_than_a_setting_has_its_default(tmp_path: Path) -> None:
    values = json.loads((find_folder("tiny") / CARD_FILE).read_text())
    values["sampling"].pop("temperature", None)
    values["fast"].pop("temperature", None)
    del values["held_out"]
    (tmp_path / CARD_FILE).write_text(json.dumps(values))
    card = load_card(tmp_path)
    assert card.sampling.temperature == 1.0 and card.held_out == ()
    assert card.fast is not None and card.fast.temperature == 1.0
    values["sampling"]["warmth"] = 1.0
    (tmp_path / CARD_FILE).write_text(json.dumps(values))
    with pytest.raises(Failure, match="unknown fields warmth"):
        load_card(tmp_path)
