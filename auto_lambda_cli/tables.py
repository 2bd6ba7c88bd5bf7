"""Tables for people: in columns where there is room, else with a line of its own for what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_GAP = 2
INDENT = 4
Cells = Sequence[str]
Styles = Callable[[int, str], str]
"""Returns the style of a cell, by its column's number and its text."""


def show(heading: Cells, rows: Iterable[Cells], style: Styles = lambda _column, _cell: "") -> None:
    """Print a table on standard output: on a terminal as wide as that, elsewhere with one line for each row."""
    console = Console(highlight=False)
    width = console.width if console.is_terminal else None
    for line in lines(heading, rows, width, style):
        console.print(line, soft_wrap=True)  # whatever is longer is broken by the terminal: a URL can be copied


def lines(
    heading: Cells, rows: Iterable[Cells], width: int | None, style: Styles = lambda _column, _cell: ""
) -> Iterator[Text]:
    """Yield a table's lines. No cell is ever broken or cut.

    All columns but the last one are padded. If a row is wider than the terminal, its last cell gets a line of its own;
    if that is not enough, every cell gets one.

    Args:
        heading: of the columns.
        rows: each with as many cells.
        width: of the terminal; None: any.
        style: of cells.
    """
    table = [tuple(heading), *map(tuple, rows)]
    widths = [max(cell_len(row[column]) for row in table) for column in range(len(heading))]
    fixed = sum(widths[:-1]) + _GAP * (len(widths) - 2)
    if width is not None and fixed > width:
        yield from _one_by_one(table, width, style)
        return
    for number, row in enumerate(table):
        cells = [_cell(number, column, cell, style) for column, cell in enumerate(row)]
        *padded, last = cells
        for cell, size in zip(padded, widths, strict=False):
            cell.pad_right(size - cell.cell_len + _GAP)
        apart = width is not None and fixed + _GAP + last.cell_len > width
        yield _trimmed(Text.assemble(*(padded if apart else cells)))
        if apart and number:
            yield Text.assemble(" " * INDENT, last)


def _one_by_one(table: Sequence[Cells], width: int, style: Styles) -> Iterator[Text]:
    heading, *rows = table
    label = max(map(cell_len, heading[1:]), default=0)
    for number, row in enumerate(rows, 1):
        yield _cell(number, 0, row[0], style)
        for column, text in ((column, text) for column, text in enumerate(row) if column and text):
            named, cell = Text(" " * _GAP + heading[column].ljust(label)), _cell(number, column, text, style)
            if named.cell_len + _GAP + cell.cell_len <= width:
                yield Text.assemble(named, " " * _GAP, cell)
            else:
                yield _trimmed(named)
                yield Text.assemble(" " * INDENT, cell)


def _cell(row: int, column: int, text: str, style: Styles) -> Text:
    return Text(text, style(column, text) if row else "")


def _trimmed(line: Text) -> Text:
    line.rstrip()
    return line
