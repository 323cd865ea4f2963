"""A suite's figures as text for a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table

from worldloom.evaluate.suite import Figure, SuiteResult, Unit

WIDTH = 110


def suite_text(result: SuiteResult) -> str:
    """Return a suite's table: every figure with its interval and count, and what real renders score beside it."""
    notes = [
        f"model {result.model}; {', '.join(f'{k} {v}' for k, v in result.settings.items())}",
        *result.notes,
    ]
    table = Table(title=result.suite, title_justify="left", caption="\n".join(notes), caption_justify="left")
    for name in ("what", "model", "real renders", "wanted", ""):
        table.add_column(name, justify="left" if name in ("what", "wanted") else "right")
    for line in result.lines:
        met = "" if line.met is None else "yes" if line.met else "no"
        table.add_row(
            line.what, _measured(line.model, line.unit), _measured(line.real, line.unit), line.wanted, met
        )
    return _text(table)


def _measured(figure: Figure, unit: Unit) -> str:
    if figure.value is None:
        return "-"
    if unit == "%":
        text, ends = f"{figure.value:.1%}", "[{:.0%}, {:.0%}]"
    else:
        text, ends = (
            f"{figure.value:.3g}" + (f" {unit}" if unit not in ("", "x") else unit),
            "[{:.3g}, {:.3g}]",
        )
    interval = "" if figure.interval is None else " " + ends.format(*figure.interval)
    return f"{text}{interval} n={figure.count}"


def _text(table: Table) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH).print(table)
    return buffer.getvalue().rstrip()
