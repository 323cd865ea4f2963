"""A suite's figures as text for a terminal."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from worldloom.evaluate.suite import Figure, SuiteResult, Unit

WIDTH = 110


def prompts_text(result: Mapping[str, Any]) -> str:
    """Return the table of the prompts suite with how each number was made."""
    table = Table(title="prompt truth", title_justify="left", caption=_notes(result), caption_justify="left")
    table.add_column("clips")
    for name in ("n", "family", "main colour", "visible"):
        table.add_column(name, justify="right")
    for name, figures in result["rows"].items():
        if name == "model":
            table.add_section()
        table.add_row(
            name,
            str(figures["clips"]),
            _counted(figures["family"]),
            _counted(figures["colour"]),
            _figure(figures["visible"]),
        )
    return _text(table)


def judge_text(report: Mapping[str, Any]) -> str:
    """Return the judge's accuracy on held-out renders."""
    table = Table(title=f"judge on {report['examples']} held-out renders", title_justify="left")
    for name in ("what", "right", "95 % interval"):
        table.add_column(name, justify="right" if name != "what" else "left")
    for name in ("family", "colour", "visible"):
        share = report[name]["right"] / report[name]["of"]
        low, high = report[name]["interval"]
        table.add_row(
            name, f"{report[name]['right']}/{report[name]['of']} {share:.1%}", f"{low:.1%} to {high:.1%}"
        )
    table.add_row("overlap of main-object cells", f"{report['overlap']:.1%}", "")
    return _text(table)


def reconstruction_text(result: Mapping[str, Any]) -> str:
    """Return the table of the autoencoder suite: dB by family."""
    note = (
        f"model {result['model']}; {result['takes']} takes of {result['num_frames']} frames from world seed "
        f"{result['first_seed']}\nPSNR from the squared error over all pixels; moving: inside masks of things that move;\n"
        "small balls: 6 to 10 pixels wide, kept: more than half the contrast against their surroundings"
    )
    table = Table(title="autoencoder", title_justify="left", caption=note, caption_justify="left")
    for name in ("family", "takes", "PSNR dB", "moving dB", "small balls kept", "contrast"):
        table.add_column(name, justify="left" if name == "family" else "right")
    for name, row in result["rows"].items():
        if name == "all":
            table.add_section()
        kept = f"{row['small_balls_kept']}/{row['small_balls']}"
        figures = (row["takes"], row["psnr"], row["psnr_moving"], kept, row["small_balls_contrast"])
        table.add_row(name, *("-" if figure is None else str(figure) for figure in figures))
    return _text(table)


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


def _counted(figures: Mapping[str, Any]) -> str:
    return f"{figures['right']}/{figures['of']} {_figure(figures)}"


def _figure(figures: Mapping[str, Any]) -> str:
    if figures["share"] is None:
        return "-"
    low, high = figures["interval"]
    return f"{figures['share']:.1%} [{low:.0%}, {high:.0%}]"


def _notes(result: Mapping[str, Any]) -> str:
    judge, settings = result["judge"], result["settings"]
    shares = ", ".join(
        f"{name} {judge[name]['right']}/{judge[name]['of']}" for name in ("family", "colour", "visible")
    )
    return (
        f"model {result['model']}; {settings['num']} held-out prompts, suite seed {settings['seed']}, "
        f"{settings['width']}x{settings['height']}, {settings['num_frames']} frames; {result['painting']}\n"
        f"judge {judge['sha256'][:12]}, right on held-out renders: {shares}\n"
        "family, colour: Wilson 95 % intervals; visible: mean share of frames, bootstrap over clips"
    )


def _text(table: Table) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH).print(table)
    return buffer.getvalue().rstrip()
