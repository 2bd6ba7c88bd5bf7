"""The state of the demo's apps: threads write it, one view reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auto_lambda.receipts import Receipt

if TYPE_CHECKING:
    from rich.table import Table

STEPS = ("fetch", "unpack", "inspect", "build", "compile", "prove", "deploy", "verify")
_DOTS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One app: its latest receipt, when it was uploaded and how long it took (in seconds; None: not yet)."""

    name: str
    dropped: float | None = None
    receipt: Receipt | None = None
    took: float | None = None
    answer: str = ""

    def elapsed(self, now: float) -> float:
        """Return the seconds from the drop until now, or until its end."""
        return self.took if self.took is not None else now - self.dropped if self.dropped is not None else 0.0

    @property
    def words(self) -> str:
        """The app's state in a word or two."""
        if self.receipt is None:
            return "waiting" if self.dropped is None else "queued"
        if self.receipt.final or not self.receipt.step:
            return self.receipt.status
        return f"{self.receipt.status}: {self.receipt.step}"


class Board:
    """Rows by app name.

    Args:
        names: the apps' names, in the order of the rows.
        changed: called with each row whose state has changed, in the thread that changed it.
        clock: seconds, monotonic.
    """

    def __init__(
        self, names: Sequence[str], changed: Callable[[BoardRow], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rows = {name: BoardRow(name) for name in names}
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()

    def rows(self) -> list[BoardRow]:
        """Return all rows as they are now."""
        with self._lock:
            return list(self._rows.values())

    def now(self) -> float:
        """Return the time, on the same clock as ``dropped``."""
        return self._clock()

    def dropped(self, name: str) -> None:
        """Record that an app is being uploaded."""
        self._set(replace(self._rows[name], dropped=self._clock()))

    def receipt(self, name: str, receipt: Receipt) -> None:
        """Record a new receipt."""
        row = replace(self._rows[name], receipt=receipt)
        if receipt.final:
            row = replace(row, took=row.elapsed(self._clock()))
        self._set(row)

    def answer(self, name: str, text: str) -> None:
        """Record the answer of an app's URL."""
        self._set(replace(self._rows[name], answer=text))

    def _set(self, row: BoardRow) -> None:
        with self._lock:
            before, self._rows[row.name] = self._rows[row.name], row
        if before.words != row.words:
            self._changed(row)


def live_table(board: Board) -> Table:
    """Render the board for a terminal, one line per app."""
    from rich.table import Table
    from rich.text import Text

    from auto_lambda_cli.progress.view import COLOURS

    table = Table("", "app", "seconds", "state", "steps", box=None, pad_edge=False)
    now = board.now()
    for row in board.rows():
        receipt = row.receipt
        colour = COLOURS.get(receipt.status, "cyan") if receipt else "dim"
        busy = row.dropped is not None and not (receipt and receipt.final)
        mark = Text(_DOTS[int(now * 8) % len(_DOTS)] if busy else _mark(receipt), colour)
        table.add_row(mark, row.name, f"{row.elapsed(now):6.1f}", Text(row.words, colour), _steps(receipt))
    return table


def _mark(receipt: Receipt | None) -> str:
    return " " if receipt is None else "✓" if receipt.status == "live" else "✗"


def _steps(receipt: Receipt | None) -> str:
    done = receipt.timings if receipt else {}
    return "  ".join(f"{step} {done[step]:.1f}" for step in STEPS if step in done)
