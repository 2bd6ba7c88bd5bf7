"""What a person sees while a drop is under way: one moving line on a terminal, a line per step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auto_lambda.receipts import Receipt
from auto_lambda.redact import one_line
from auto_lambda_cli.exits import tell

Show = Callable[[Receipt], None]
WIDEST = 81
"""Characters of a padded column, as many as the longest `stage/name`: the key of a zip may be much longer."""
COLOURS = {"live": "green", "failed": "red", "delayed": "yellow", "superseded": "yellow"}


@contextmanager
def following(*, removal: bool = False) -> Iterator[Show]:
    """Give a function to call with each new state; ``removal``: of an app that is removed from AWS."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield with_changes_of_worker(_plainly(removal=removal))
        return
    with console.status("waiting for a worker") as status:
        yield with_changes_of_worker(lambda receipt: status.update(Text(words(receipt, removal=removal))))


def with_changes_of_worker(show: Show) -> Show:
    """Also tell when another worker goes on with a drop: after the death of the first one, say."""
    before = ""

    def shown(receipt: Receipt) -> None:
        nonlocal before
        if before and receipt.worker and receipt.worker != before:
            tell(one_line(f"worker {before} has given it up or was lost; {receipt.worker} goes on from the beginning"))
        before = receipt.worker or before
        show(receipt)

    return shown


def words(receipt: Receipt, *, removal: bool = False) -> str:
    """Return a receipt's state in a few words."""
    if removal and receipt.undeployed:
        return "removed"
    if receipt.status == "delayed" and receipt.error:
        return one_line(f"delayed: {receipt.error.message}")
    return one_line(receipt.status + (f": {receipt.step}" if receipt.step and not receipt.final else ""))


def _plainly(*, removal: bool) -> Show:
    began = time.monotonic()
    last = ""

    def show(receipt: Receipt) -> None:
        nonlocal last
        if (now := words(receipt, removal=removal)) != last:
            tell(f"{time.monotonic() - began:7.1f} s  {now}")
            last = now

    return show
