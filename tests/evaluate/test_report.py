import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.evaluate.report import bars, read_results, write_report
from worldloom.evaluate.suite import Figure, Line, SuiteResult

LINES = (
    Line("hits <the> hoop", Figure(0.25, (0.1, 0.5), 12), Figure(0.75, (0.5, 0.9), 12), "%", "70%", False),
    Line("flicker", Figure(1.2, None, 8), Figure(1.0, None, 8), "x", "1.3 x", True),
    Line("path", Figure(), Figure(2.5, (2.0, 3.0), 4), "px"),
)


class Reader(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + "|"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sheet = np.full((40, 60, 3), 128, np.uint8)
    SuiteResult("physics", "tiny", LINES, {"seed": 3}, ("how it was made",), {"bounce": sheet}).save(tmp_path)
    SuiteResult("motion", "tiny", LINES[1:], {"seed": 4}).save(tmp_path)
    (tmp_path / "other.json").write_text('{"no": "result"}')
    return tmp_path


def test_the_page_holds_every_result_and_nothing_from_elsewhere(folder: Path) -> None:
    text = write_report(folder).read_text()
    page = Reader()
    page.feed(text)
    assert [dict(a)["id"] for tag, a in page.tags if tag == "h2"] == ["motion", "physics"]
    images = [a["src"] or "" for tag, a in page.tags if tag == "img"]
    assert len(images) == 1 and images[0].startswith("data:image/webp;base64,")
    assert not re.search(r"(src|href)=.?(https?:|//|\w+\.(png|css|js))", text) and "@import" not in text
    for told in ("hits <the> hoop", "25.0%", "[10.0%, 50.0%]", "n=12", "1.2 x", "how it was made", "seed 3"):
        assert told in page.text, told
    assert "2 of 3 wanted figures are met" in page.text
    assert "prefers-color-scheme: dark" in text


def test_a_bar_is_as_long_as_its_share_and_has_its_interval() -> None:
    picture = bars([vars_of(line) for line in LINES])
    model, real = (float(w) for w in re.findall(r'<rect class="\w+" [^>]*width="([\d.]+)"', picture))
    assert real == pytest.approx(3 * model)
    low, high = (float(x) for x in re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)"', picture)[0])
    assert (high - low) / model == pytest.approx(0.4 / 0.25, rel=0.01)
    assert picture.count("<rect") == 2, "only shares have bars"
    assert bars([vars_of(LINES[1])]) == ""


def vars_of(line: Line) -> dict[str, object]:
    return SuiteResult("a", "b", (line,)).plain()["lines"][0]


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")
    assert read_results(tmp_path) == []
    with pytest.raises(UsageError, match="holds no results"):
        write_report(tmp_path)
