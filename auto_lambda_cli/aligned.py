"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a heading and a line for each row, in columns; nothing without rows. The last column is not padded."""
    if not rows:
        return []
    table = [heading, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading) - 1)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in table)
    return ["  ".join([*cells, row[-1]]).rstrip() for cells, row in zip(padded, table, strict=True)]
