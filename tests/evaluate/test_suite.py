import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldloom.evaluate.suite import Figure, Line, SuiteResult, mean, median, ratio, share
from worldloom.evaluate.table import suite_text


def test_figures_carry_interval_and_count() -> None:
    half = share([True, False, True, False])
    assert half.value == 0.5 and half.count == 4 and half.interval is not None
    assert half.interval[0] < 0.5 < half.interval[1]
    assert mean([1.0, 2.0, 6.0]).value == 3 and median([1.0, 2.0, 6.0]).value == 2
    assert median([4.0, 4.0]).interval == (4.0, 4.0)
    assert share([]) == mean([]) == median([]) == Figure()


def test_a_ratio_is_of_the_means() -> None:
    rng = np.random.default_rng(0)
    figure = ratio(list(rng.normal(3, 0.3, 80)), list(rng.normal(2, 0.3, 60)))
    assert figure.value == pytest.approx(1.5, rel=0.05) and figure.count == 80
    assert figure.interval is not None and figure.interval[0] < figure.value < figure.interval[1]
    assert ratio([1.0], []) == ratio([1.0], [0.0]) == Figure()


RESULT = SuiteResult(
    suite="seams",
    model="tiny",
    lines=(
        Line("within 1.5 x", Figure(0.75, (0.5, 0.9), 8), Figure(1.0, (0.7, 1.0), 8), "%", "90 %", False),
        Line("change", Figure(1.234, (1.0, 2.0), 8), unit="x"),
    ),
    settings={"takes": 4, "seed": 0},
    notes=("how it is made",),
    sheets={"loop": np.zeros((4, 6, 3), np.uint8)},
    cases=[{"number": 0}],
)


def test_a_table_shows_the_ceiling_beside_the_figure() -> None:
    text = suite_text(RESULT)
    (row,) = [line for line in text.splitlines() if "within 1.5 x" in line]
    assert "75.0% [50%, 90%] n=8" in row and "100.0% [70%, 100%] n=8" in row
    assert "90 %" in row and "no" in row
    assert "1.23x [1, 2] n=8" in text and "how it is made" in text and "takes 4, seed 0" in text


def test_a_result_is_saved_with_its_cases_and_sheets(tmp_path: Path) -> None:
    paths = RESULT.save(tmp_path / "new")
    assert [path.name for path in paths] == ["seams.json", "seams-loop.png"]
    saved = json.loads(paths[0].read_text())
    assert saved["cases"] == [{"number": 0}] and saved["lines"][0]["model"]["value"] == 0.75
    assert saved["lines"][0]["met"] is False and "sheets" not in saved
    assert Image.open(paths[1]).size == (6, 4)
    RESULT.save(tmp_path / "new")  # over the old one
