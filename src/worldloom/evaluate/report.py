"""One page of everything that was measured: tables, bars with intervals, settings and contact sheets, in one file.

The page is made from what the suites left in a folder (`SUITE.json` and `SUITE-NAME.png`), needs nothing from
anywhere else, and is readable on paper, in the dark and without colour.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from worldloom.core.error import UsageError
from worldloom.core.file import read_json, whole_file
from worldloom.core.limits import Limits
from worldloom.core.picture import encode_picture, open_picture, pixels

QUALITY = 82  # of the sheets: WebP of 1 to 100
BAR, NAME, ROW = 260, 350, 20  # px: widths of bars and of their names, height of a row
STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fdfdfb; --soft: #6b6b6b; --line: #d8d8d4;
  --model: #2a6fb0; --real: #9a9a94; --yes: #23763a; --no: #b3341f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e4; --paper: #17181a; --soft: #a0a09c; --line: #3a3b3d;
  --model: #6aaeea; --real: #77787a; --yes: #6fc486; --no: #ef8a74; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 74rem; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { text-align: right; padding: .15rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
th { font-weight: 600; } small, .soft { color: var(--soft); } .yes { color: var(--yes); } .no { color: var(--no); }
nav a { margin-right: 1rem; } a { color: var(--model); } img { max-width: 100%; display: block; }
figure { margin: 1.5rem 0; overflow-x: auto; } figcaption { color: var(--soft); }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .soft { fill: var(--soft); }
svg .model { fill: var(--model); } svg .real { fill: var(--real); } svg line { stroke: var(--ink); }
details summary { cursor: pointer; margin: .8rem 0; }
"""


def write_report(folder: Path, name: str = "report.html") -> Path:
    """Write the page of all results in `folder`; returns its path.

    Raises:
        UsageError: the folder holds no result of a suite.
    """
    results = read_results(folder)
    if not results:
        raise UsageError(f"{folder} holds no results; run `worldloom evaluate SUITE -o {folder}` first")
    parts = [section(result, sheets_of(folder, result["suite"])) for result in results]
    with whole_file(folder / name, force=True) as temporary:
        temporary.write_text(page(results, parts), encoding="utf-8")
    return folder / name


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return every result in the folder that has lines, in the order of their names."""
    found = [read_json(path) for path in sorted(folder.glob("*.json"))]
    return [result for result in found if isinstance(result, dict) and "lines" in result]


def sheets_of(folder: Path, suite: str) -> dict[str, str]:
    """Return the contact sheets of a suite as data URLs, by name."""
    sheets = {}
    for path in sorted(folder.glob(f"{suite}-*.png")):
        picture = pixels(open_picture(path, path.name, Limits()), path.name)
        data = base64.b64encode(encode_picture(picture, QUALITY)).decode()
        sheets[path.stem.removeprefix(f"{suite}-")] = f"data:image/webp;base64,{data}"
    return sheets


def page(results: Sequence[Mapping[str, Any]], parts: Sequence[str]) -> str:
    """Return the whole page."""
    models = ", ".join(dict.fromkeys(str(result["model"]) for result in results))
    links = "".join(f'<a href="#{escape(r["suite"])}">{escape(r["suite"])}</a>' for r in results)
    wanted = [line for result in results for line in result["lines"] if line["met"] is not None]
    met = sum(line["met"] for line in wanted)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>worldloom: {escape(models)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>What {escape(models)} can do</h1><p>{met} of {len(wanted)} wanted figures are met. Beside each figure "
        f"stands what real renders score by the same measure; brackets hold 95 % intervals.</p>"
        f"<nav>{links}</nav>{''.join(parts)}</html>\n"
    )


def section(result: Mapping[str, Any], sheets: Mapping[str, str]) -> str:
    """Return a suite's part of the page: table, bars, how it was measured, sheets."""
    name = escape(str(result["suite"]))
    settings = "; ".join(f"{escape(k)} {escape(str(v))}" for k, v in result["settings"].items())
    notes = "".join(f"<li>{escape(note)}" for note in result["notes"])
    figures = "".join(
        f'<figure><figcaption>{escape(title)}</figcaption><img alt="{name} {escape(title)}" src="{data}"></figure>'
        for title, data in sheets.items()
    )
    shown = f"<details open><summary>contact sheets</summary>{figures}</details>" if figures else ""
    return (
        f'<h2 id="{name}">{name}</h2><p class="soft">model {escape(str(result["model"]))}; {settings}; '
        f"{result['seconds']:.0f} s</p>{table(result['lines'])}{bars(result['lines'])}<ul>{notes}</ul>{shown}"
    )


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as a table."""
    rows = "".join(
        f"<tr><td>{escape(line['what'])}<td>{_figure(line['model'], line['unit'])}"
        f"<td>{_figure(line['real'], line['unit'])}<td>{escape(line['wanted'])}<td>{_met(line['met'])}"
        for line in lines
    )
    return f"<table><tr><th>what<th>model<th>real renders<th>wanted<th>{rows}</table>"


def bars(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the shares as bars, the model's over those of real renders, with their intervals as whiskers."""
    shown = [
        line for line in lines if line["unit"] == "%" and (line["model"]["count"] or line["real"]["count"])
    ]
    if not shown:
        return ""
    parts = []
    for index, line in enumerate(shown):
        top = index * 1.4 * ROW
        parts.append(
            f'<text x="{NAME - 8}" y="{top + 0.7 * ROW:.1f}" text-anchor="end">{escape(line["what"])}</text>'
        )
        parts += [_bar(line[who], who, top + offset) for who, offset in (("model", 0.0), ("real", 0.5 * ROW))]
    height = len(shown) * 1.4 * ROW + ROW
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = NAME + share * BAR
        parts.append(
            f'<text class="soft" x="{x:.0f}" y="{height - 2:.0f}" text-anchor="middle">{share:.0%}</text>'
        )
    label = "bars of shares: the model's above those of real renders"
    return (
        f'<figure><svg role="img" aria-label="{label}" width="{NAME + BAR + 40}" height="{height:.0f}">{"".join(parts)}</svg>'
        "<figcaption>upper bar: model; lower bar: real renders; whiskers: 95 % intervals</figcaption></figure>"
    )


def _bar(figure: Mapping[str, Any], who: str, top: float) -> str:
    if figure["value"] is None:
        return ""
    width = BAR * min(max(figure["value"], 0.0), 1.0)
    bar = f'<rect class="{who}" x="{NAME}" y="{top:.1f}" width="{width:.1f}" height="{0.42 * ROW:.1f}"/>'
    if figure["interval"] is None:
        return bar
    low, high = (NAME + BAR * min(max(end, 0.0), 1.0) for end in figure["interval"])
    middle = top + 0.21 * ROW
    return bar + f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'


def _figure(figure: Mapping[str, Any], unit: str) -> str:
    if figure["value"] is None:
        return '<span class="soft">-</span>'
    write = "{:.1%}" if unit == "%" else "{:.3g}"
    text = write.format(figure["value"]) + ("" if unit in ("", "%") else f" {escape(unit)}")
    ends = figure["interval"]
    interval = "" if ends is None else f" [{write.format(ends[0])}, {write.format(ends[1])}]"
    return f"{text} <small>{interval} n={figure['count']}</small>"


def _met(met: bool | None) -> str:
    return "" if met is None else '<span class="yes">yes</span>' if met else '<span class="no">no</span>'
