"""``make demo``: start a local stack, upload four real apps, and show how they go live."""

from __future__ import annotations

import html
import os
import re
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from auto_lambda import drops, keys
from auto_lambda.aws.cloudwatch import Metrics
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.urls import callable_url
from auto_lambda.daemon.service import stop_on_signals
from auto_lambda_cli.console.browser import may_open, open_in_browser
from auto_lambda_cli.local_stack import plot
from auto_lambda_cli.local_stack.board import STEPS, Board, BoardRow, live_table
from auto_lambda_cli.local_stack.fleet.controller import FleetOptions
from auto_lambda_cli.local_stack.stack import LocalStack, local_client
from auto_lambda_cli.packing import zip_folder
from auto_lambda_cli.running_stacks import announced
from auto_lambda_cli.sources import examples_folder

if TYPE_CHECKING:
    from rich.console import Console

TIMEOUT = 300.0  # seconds for all of it
FLEET = FleetOptions(largest=2, boot_seconds=1)  # instances take longer to boot, but this is for people who watch
REST = 30.0  # seconds for the workers to notice that there is no more work


@dataclass(frozen=True, slots=True)
class Example:
    """One of ``examples/``. ``path`` is the path to request; ``shows`` describes the app."""

    name: str
    shows: str
    path: str = ""


# The one that takes longest is first, so that all are live soonest.
EXAMPLES = (
    Example("statistics", "zappa, Flask, pandas"),
    Example("thumbnails", "chalice, Pillow", "demo"),
    Example("guestbook", "zappa, Django"),
    Example("quotes", "zappa, FastAPI"),
)


def run(folder: Path, *, keep: bool = False, browser: bool = False, examples: Sequence[Example] = EXAMPLES) -> int:
    """Run the demo and return the exit code: 0 if every app is live and answers.

    Args:
        folder: for logs and work files.
        browser: open the console in it, if a person would see that.
        keep: leave the stack running until SIGINT or SIGTERM.
        examples: the examples to upload.
    """
    from rich.console import Console

    began = time.monotonic()
    console = Console(highlight=False)
    console.print("[bold]1. A local stack[/]")
    with LocalStack.start(folder, options=FLEET, console=True, say=lambda text: _line(console, text)) as stack:
        if stack.pipeline.console:
            _line(console, f"the same to look at, as long as this runs: {stack.pipeline.console}")
        if stack.pipeline.console and browser and may_open(os.environ):
            open_in_browser(stack.pipeline.console)
        console.print(f"   up after {time.monotonic() - began:.1f} s\n\n[bold]2. Four uploads[/]")
        start = datetime.now(UTC)
        rows = _drop_all(stack, examples, console)
        took = time.monotonic() - began
        _report(stack, examples, rows, console)
        _await_rest(stack)
        _plot(stack, start, console)
        good = sum(1 for row in rows if _is_good(row))
        console.print(f"\n{good} of {len(rows)} apps live, {took:.0f} s after the command was given")
        if not keep:
            console.print("The demo stops here. To try your own zips: auto-lambda local up")
        else:
            console.print("The stack keeps running; in another terminal: auto-lambda status. Ctrl-C stops it.")
            with stop_on_signals() as stop, announced(stack.pipeline):
                stack.watch(stop.requested)
    return 0 if good == len(rows) else 1


def _line(console: Console, text: str, indent: int = 3) -> None:
    """Print plain text without markup; the terminal wraps it, so that it can be copied."""
    console.print(" " * indent + text, markup=False, soft_wrap=True)


def _drop_all(stack: LocalStack, examples: Sequence[Example], console: Console) -> list[BoardRow]:
    store = ObjectStore(local_client(stack.aws, "s3"))
    with _shown([example.name for example in examples], console) as board:
        threads = ThreadPoolExecutor(len(examples), thread_name_prefix="drop")
        try:
            watching = []
            for example in examples:
                dropped = _drop(example, stack.pipeline.bucket, store, board)
                watching.append(threads.submit(_follow, example, dropped, stack.aws.endpoint, store, board))
            while not all(one.done() for one in watching):
                stack.check()
                time.sleep(0.2)
            for one in watching:
                one.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    return board.rows()


def _drop(example: Example, bucket: str, store: ObjectStore, board: Board) -> drops.Drop:
    with tempfile.TemporaryDirectory(prefix="auto-lambda-") as folder:
        zip_path = Path(folder, "app.zip")
        zip_folder(examples_folder() / example.name, zip_path)
        board.dropped(example.name)
        return drops.drop(store, bucket, keys.App(keys.DEFAULT_STAGE, example.name), zip_path)


def _follow(example: Example, dropped: drops.Drop, endpoint: str, store: ObjectStore, board: Board) -> None:
    try:
        for receipt in drops.follow(store, dropped, timeout=TIMEOUT):
            board.receipt(example.name, receipt)
    except drops.TimedOut:
        return
    if receipt.url:
        board.answer(example.name, ask(callable_url(receipt.url, endpoint), example.path))


@contextmanager
def _shown(names: Sequence[str], console: Console) -> Iterator[Board]:
    """Show a board: redrawn in place on a terminal, otherwise one line per change."""
    from rich.live import Live

    if not console.is_terminal:
        began = time.monotonic()
        yield Board(names, lambda row: _line(console, f"{time.monotonic() - began:6.1f} s  {row.name:<12} {row.words}"))
        return
    board = Board(names, lambda _: None)
    with Live(get_renderable=lambda: live_table(board), console=console, refresh_per_second=8):
        yield board


def ask(url: str, path: str, timeout: float = 30.0) -> str:
    """Send a GET request, and return the status and the beginning of the text in one line."""
    request = urllib.request.Request(url.rstrip("/") + "/" + path, headers={"Accept": "*/*"})  # noqa: S310 - the receipt's
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return f"{answer.status} {in_a_line(answer.read(20_000).decode(errors='replace'))}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {in_a_line(error.read(2_000).decode(errors='replace'))}"
    except OSError as error:
        return f"no answer: {error}"


def in_a_line(text: str, width: int = 100) -> str:
    """Return text without markup, on one line, shortened."""
    if "<html" in text.lower():
        text = html.unescape(re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]+>", " ", text))
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _is_good(row: BoardRow) -> bool:
    return bool(row.receipt and row.receipt.status == "live" and row.answer.startswith("2"))


def _report(stack: LocalStack, examples: Sequence[Example], rows: Sequence[BoardRow], console: Console) -> None:
    console.print("\n[bold]3. Their answers[/]")
    for example, row in zip(examples, rows, strict=True):
        console.print(f"   [bold]{example.name}[/] ({example.shows})")
        for line in _outcome(stack, example, row):
            _line(console, line, 6)
    console.print("\n   Receipts and logs are beside the zips:")
    for row in rows:
        key = keys.receipt_key(keys.App(keys.DEFAULT_STAGE, row.name).key)
        _line(console, f"s3://{stack.pipeline.bucket}/{key}", 6)
    console.print("\n[bold]4. Seconds per step[/] (the rest of each total is waiting)")
    _timings(rows, console)


def _outcome(stack: LocalStack, example: Example, row: BoardRow) -> list[str]:
    receipt = row.receipt
    if receipt is None:
        return ["no worker received it"]
    if error := receipt.error:
        return [f"{receipt.status}: {error.code}", *error.message.splitlines(), error.hint]
    if not receipt.url:
        return [receipt.status]
    url = callable_url(receipt.url, stack.aws.endpoint)
    return [f"{url.rstrip('/')}/{example.path}", row.answer]


def _timings(rows: Sequence[BoardRow], console: Console) -> None:
    from rich.table import Table

    used = [step for step in STEPS if any(row.receipt and step in row.receipt.timings for row in rows)]
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("   app", no_wrap=True, min_width=15)
    for title in (*used, "total"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        timings = row.receipt.timings if row.receipt else {}
        table.add_row(f"   {row.name}", *(f"{timings[step]:.2f}" if step in timings else "" for step in used),
                      f"{row.took:.1f}" if row.took is not None else "")  # fmt: skip
    console.print(table)


def _await_rest(stack: LocalStack) -> None:
    """Wait until the idle workers have stopped and the checker has published that, for the plot."""
    deadline = time.monotonic() + REST
    while stack.fleet and stack.fleet.group.machines() and time.monotonic() < deadline:
        stack.check()
        time.sleep(0.2)
    time.sleep(1.5)


def _plot(stack: LocalStack, start: datetime, console: Console) -> None:
    """Plot the queue's depth and the workers during the run, as published by the checker."""
    metrics = Metrics(local_client(stack.aws, "cloudwatch"), stack.pipeline.namespace)
    end = datetime.now(UTC) + timedelta(seconds=1)
    queue = {"QueueName": stack.pipeline.queue.rpartition("/")[2]}
    visible, in_flight, workers = (
        metrics.series(name, queue, start, end) for name in ("QueueVisible", "QueueInFlight", "WorkersInService")
    )
    depth = [sum(both) for both in zip(visible, in_flight, strict=False)]
    console.print("\n[bold]5. The queue, and the fleet that scales with it[/]")
    for title, values in (("messages, visible and in flight", depth), ("workers in service", workers)):
        _line(console, title)
        for line in plot.bars(values, width=72, height=4 if values is depth else 2):
            _line(console, line)
    _line(console, f"{len(depth)} samples that the checker published to CloudWatch since the first upload")
