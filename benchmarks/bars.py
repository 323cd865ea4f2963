"""A bar chart as SVG: one bar per row with its range, and a line where both sides are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

ROW, LABEL, PLOT, TOP, BOTTOM = 26, 250, 430, 46, 30  # pixels


@dataclass(frozen=True)
class Bar:
    """One row: its name, the value, and the least and greatest of what was measured."""

    name: str
    value: float
    low: float
    high: float


def bar_chart(title: str, unit: str, bars: Sequence[Bar], even: float = 1.0) -> str:
    """Return an SVG of horizontal bars from 0; `even` is the value at which a dashed line stands."""
    top = max(bar.high for bar in bars) * 1.05
    height = TOP + ROW * len(bars) + BOTTOM

    def x(value: float) -> float:
        return LABEL + value / top * PLOT

    foot = TOP + ROW * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + PLOT + 60}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="white"/><text x="12" y="24" font-size="14">{escape(title)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = TOP + ROW * number
        middle = y + ROW / 2
        parts += [
            f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect x="{LABEL}" y="{y + 4}" width="{x(bar.value) - LABEL:.1f}" height="{ROW - 8}" fill="#4878a8"/>',
            f'<path d="M{x(bar.low):.1f} {middle}H{x(bar.high):.1f}" stroke="#1c2c3c" stroke-width="1.5"/>',
            f'<text x="{x(bar.high) + 6:.1f}" y="{middle + 4}">{bar.value:.2f}{unit}</text>',
        ]
    parts += [
        f'<path d="M{x(even):.1f} {TOP}V{foot}" stroke="#b03030" stroke-dasharray="4 3"/>',
        f'<text x="{x(even):.1f}" y="{foot + 16}" text-anchor="middle" fill="#b03030">{even:g}{unit}</text>',
        "</svg>\n",
    ]
    return "\n".join(parts)
