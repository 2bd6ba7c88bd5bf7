"""Small plots in text."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """Values over time as bars of Unicode blocks, top line first, with the scale on the left.

    Args:
        values: not negative; more of them than fit are gathered by their maximum.
        width: columns for bars, at least 1.
        height: lines.
    """
    gathered = _gather(values, width)
    top = max(1.0, *gathered) if gathered else 1.0
    eighths = [round(value / top * height * 8) for value in gathered]
    # Something that is there must be seen, however small.
    eighths = [max(1, size) if value > 0 else 0 for size, value in zip(eighths, gathered, strict=True)]
    label = len(f"{top:g}")
    lines = []
    for line in range(height):
        floor = (height - 1 - line) * 8
        scale = f"{top:g}" if line == 0 else "0" if line == height - 1 else ""
        blocks = "".join(_EIGHTHS[min(8, max(0, size - floor))] for size in eighths)
        lines.append(f"{scale:>{label}} ┤{blocks}")
    return lines


def _gather(values: Sequence[float], width: int) -> list[float]:
    share = math.ceil(len(values) / width) or 1
    return [max(values[start : start + share]) for start in range(0, len(values), share)]
