"""What a person sees while a drop is under way: one moving line on a terminal, a line per step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Literal, NamedTuple, Protocol

from auto_lambda.receipts import Receipt
from auto_lambda.redact import one_line
from auto_lambda_cli.exits import tell

WIDEST = 81
"""Characters of a padded column, as many as the longest `stage/name`: the key of a zip may be much longer."""
COLOURS = {"live": "green", "failed": "red", "delayed": "yellow", "superseded": "yellow"}
_UNTAKEN = 20.0  # seconds after which a drop that no worker has is worth a word
_OVERDUE = 60.0  # seconds that others get to take over what a lost worker had


class DropView(Protocol):
    """Shows how a drop gets on."""

    def show(self, receipt: Receipt) -> None:
        """Show a new state."""

    def silent(self, receipt: Receipt | None, seconds: float) -> None:
        """Show that nothing new has come for so long since a state; None: no worker has the drop yet."""


@contextmanager
def following(*, removal: bool = False) -> Iterator[DropView]:
    """Give what shows how a drop gets on; ``removal``: of an app that is removed from AWS."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield DropLines(removal=removal)
        return
    with console.status("waiting for a worker") as status:
        yield MovingLine(lambda text: status.update(Text(text)), removal=removal)


class MovingLine:
    """One line that is written again and again."""

    def __init__(self, update: Callable[[str], object], *, removal: bool = False) -> None:
        self._update = update
        self._removal = removal
        self._workers = ChangesOfWorker()

    def show(self, receipt: Receipt) -> None:
        """Show a new state."""
        self._workers.look(receipt)
        self._update(words(receipt, removal=self._removal))

    def silent(self, receipt: Receipt | None, seconds: float) -> None:
        """Show for how long nothing has come."""
        if found := silence(receipt, seconds):
            self._update(f"{words(receipt, removal=self._removal)}; {found.text}" if receipt else found.text)


class DropLines:
    """A line for each change."""

    def __init__(self, *, removal: bool = False) -> None:
        self._removal = removal
        self._workers = ChangesOfWorker()
        self._began = time.monotonic()
        self._state = ""
        self._silence: str | None = None

    def show(self, receipt: Receipt) -> None:
        """Print a new state."""
        self._workers.look(receipt)
        self._silence = None
        if (now := words(receipt, removal=self._removal)) != self._state:
            self._print(now)
            self._state = now

    def silent(self, receipt: Receipt | None, seconds: float) -> None:
        """Print once that nothing has come for a while, and again when that should have ended."""
        found = silence(receipt, seconds)
        if found and found.kind != self._silence:
            self._print(found.text)
            self._silence = found.kind

    def _print(self, text: str) -> None:
        tell(f"{time.monotonic() - self._began:7.1f} s  {text}")


class ChangesOfWorker:
    """Tells when another worker goes on with a drop: after the death of the first one, say."""

    def __init__(self) -> None:
        self._worker = ""

    def look(self, receipt: Receipt) -> None:
        """Tell it if this state is of another worker than the one before."""
        before, self._worker = self._worker, receipt.worker or self._worker
        if before and self._worker != before:
            worker = self._worker
            tell(one_line(f"worker {before} has given it up or was lost; {worker} goes on from the beginning"))


def words(receipt: Receipt, *, removal: bool = False) -> str:
    """Return a receipt's state in a few words."""
    if removal and receipt.undeployed:
        return "removed"
    if receipt.status == "delayed" and receipt.error:
        return one_line(f"delayed: {receipt.error.message}")
    return one_line(receipt.status + (f": {receipt.step}" if receipt.step and not receipt.final else ""))


class Silence(NamedTuple):
    """What it means that nothing comes. ``text`` says for how long."""

    kind: Literal["untaken", "quiet", "lost"]
    text: str


def silence(receipt: Receipt | None, seconds: float) -> Silence | None:
    """Say what it means that nothing new has come for so many seconds since a state; None: nothing yet."""
    if receipt is None:
        told = f"no worker has taken it for {seconds:.0f} s: all are busy, or none runs"
        return Silence("untaken", told) if seconds > _UNTAKEN else None
    if receipt.patience is None or seconds < receipt.patience or not receipt.held_until or not receipt.updated:
        return None
    worker = receipt.worker or "the worker"
    over = seconds - (receipt.held_until - receipt.updated).total_seconds()
    if over > _OVERDUE:
        told = f"{worker} was lost, and no other one has taken over for {over:.0f} s: all are busy, or none runs"
        return Silence("lost", one_line(told))
    when = f"{receipt.held_until.astimezone(UTC):%H:%M:%S} UTC"
    told = f"no news from {worker} for {seconds:.0f} s; if it was lost, another one takes over soon after {when}"
    return Silence("quiet", one_line(told))
