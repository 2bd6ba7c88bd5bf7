"""A picture of several values over time, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP = 860, 130, 70, 44
_COLOURS = ("#4a4a4a", "#d9822b", "#2b7bd9")


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over the same seconds: the values of each, by its name. ``labels`` name the values of the axis."""

    title: str
    lines: Sequence[tuple[str, Sequence[float]]]
    labels: Sequence[str] = ()


def svg(title: str, panels: Sequence[Panel]) -> str:
    """Draw panels below each other."""
    height = _TOP + len(panels) * (_HEIGHT + 46)
    parts = [_panel(panel, _TOP + number * (_HEIGHT + 46)) for number, panel in enumerate(panels)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 20} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/><text x="{_LEFT}" y="22" font-size="16">{escape(title)}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def _panel(panel: Panel, top: int) -> str:
    most = max([1e-9, *(value for _, values in panel.lines for value in values)])
    top += 20
    bottom = top + _HEIGHT
    legend = "".join(
        f'<tspan fill="{colour}" dx="14">{escape(name)}</tspan>'
        for (name, _), colour in zip(panel.lines, _COLOURS, strict=False)
    )
    lines = "".join(
        _line(values, most, bottom, colour) for (_, values), colour in zip(panel.lines, _COLOURS, strict=False)
    )
    marks = panel.labels or ("0", f"{most:.3g}")
    steps = max(1, len(marks) - 1)
    axis = "".join(
        f'<text x="{_LEFT - 6}" y="{bottom - index / steps * _HEIGHT + 4:.0f}" text-anchor="end">{escape(mark)}</text>'
        for index, mark in enumerate(marks)
    )
    seconds = max((len(values) for _, values in panel.lines), default=0)
    return (
        f'<text x="{_LEFT}" y="{top - 6}">{escape(panel.title)}{legend}</text>'
        f'<path d="M{_LEFT} {top}V{bottom}H{_LEFT + _WIDTH}" fill="none" stroke="#999"/>{axis}{lines}'
        f'<text x="{_LEFT + _WIDTH}" y="{bottom + 14}" text-anchor="end">{seconds} s</text>'
    )


def _line(values: Sequence[float], most: float, bottom: int, colour: str) -> str:
    step = _WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{_LEFT + index * step:.1f},{bottom - value / most * _HEIGHT:.1f}" for index, value in enumerate(values)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
