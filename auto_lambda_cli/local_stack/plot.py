"""Small plots in text."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """Plot values over time as bars of Unicode blocks, top line first, with the scale on the left.

    Args:
        values: not negative; if there are more than ``width``, maxima of groups are shown.
        width: the number of columns for bars, at least 1.
        height: the number of lines.
    """
    gathered = _gather(values, width)
    top = max(1.0, *gathered) if gathered else 1.0
    eighths = [round(value / top * height * 8) for value in gathered]
    # Every value above zero must be visible.
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
