"""``auto-lambda status --watch``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda.aws.autoscaling import AutoScalingGroup, GroupUnusable
from auto_lambda.aws.session import client, make_session
from auto_lambda.aws.sqs import Queue, QueueUnusable
from auto_lambda.keys import DEFAULT_STAGE
from auto_lambda.recent_attempts import LedgerUnusable, RecentAttempts
from auto_lambda.redact import one_line
from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.progress.snapshot import Look, Snapshot, Told
from auto_lambda_cli.progress.view import COLOURS, WIDEST
from auto_lambda_cli.tables import INDENT, lines
from auto_lambda_cli.target import Target, choose, setting

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

Show = Callable[[Snapshot, str | None], None]
"""Takes the latest snapshot, and the error if a newer one could not be taken."""
_UNUSABLE = (QueueUnusable, GroupUnusable, LedgerUnusable)


def watch(*, interval: float, as_json: bool, local: bool, bucket: str | None) -> int:
    """Show the pipeline until Ctrl-C, and return the exit code of an interruption."""
    target = choose(local=local, bucket=bucket)
    look = looker(target)
    with suppress(KeyboardInterrupt):
        first = _first(look)
        with shown(str(target), as_json=as_json) as show:
            follow(look, show, lambda: time.sleep(interval), first)
    return Exit.INTERRUPTED


def looker(target: Target) -> Look:
    """Return what takes snapshots of as much as the environment names; bucket and queue are required."""
    queue = setting("AUTO_LAMBDA_QUEUE_URL")
    dead_letters, group, table = (
        os.environ.get(f"AUTO_LAMBDA_{name}") for name in ("DEAD_LETTER_QUEUE_URL", "WORKER_GROUP", "TABLE")
    )
    with plain_errors():
        connect = partial(client, make_session(), read_timeout=10, attempts=3)
        sqs = connect("sqs")
        return Look(
            target.store(),
            target.bucket,
            Queue(sqs, queue),
            lambda: datetime.now(UTC),
            dead_letters=Queue(sqs, dead_letters) if dead_letters else None,
            group=AutoScalingGroup(connect("autoscaling"), group) if group else None,
            history=RecentAttempts(connect("dynamodb"), table) if table else None,
        )


def _first(look: Callable[[], Snapshot]) -> Snapshot:
    """Take the first snapshot; an error in it ends the command, since waiting would not help."""
    try:
        with plain_errors():
            return look()
    except _UNUSABLE as error:
        raise leave(Exit.USAGE, str(error)) from None


def follow(look: Callable[[], Snapshot], show: Show, pause: Callable[[], None], seen: Snapshot) -> None:
    """Take a snapshot after each pause, forever; show the error of one that fails, and go on."""
    show(seen, None)
    while True:
        pause()
        try:
            seen = look()
        except (BotoCoreError, ClientError, *_UNUSABLE) as error:
            show(seen, str(error))
        else:
            show(seen, None)


@contextmanager
def shown(title: str, *, as_json: bool) -> Iterator[Show]:
    """Give what shows snapshots: JSON lines, a live view on a terminal, otherwise a block for each change."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if as_json:
        yield _json_lines
    elif not console.is_terminal:
        yield blocks(Console(width=200), title)
    elif console.is_dumb_terminal:
        yield blocks(console, title)
    else:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda seen, problem: live.update(view(title, seen, problem, console.width), refresh=True)


def _json_lines(seen: Snapshot, problem: str | None) -> None:
    failed = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "error": problem}
    say(json.dumps(failed if problem else seen.as_dict()))


def blocks(console: Console, title: str) -> Show:
    """Return what prints a block for each change; each error goes to standard error, once."""
    before: tuple[object, ...] | None = None
    told: str | None = None

    def show(seen: Snapshot, problem: str | None) -> None:
        nonlocal before, told
        if problem and problem != told:
            tell(f"AWS says: {problem}; trying again")
        told = problem
        if not problem and seen.facts() != before:
            console.print(view(title, seen, None, console.width), end="\n\n")
            before = seen.facts()

    return show


def view(title: str, seen: Snapshot, problem: str | None, width: int) -> RenderableType:
    """Render a snapshot for people.

    Args:
        title: the line above.
        seen: the snapshot.
        problem: why there is none newer.
        width: of the terminal.
    """
    from rich.console import Group as Lines
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{seen.at:%Y-%m-%d %H:%M:%S} UTC  {title}", "bold"), _counts(seen)]
    parts += [_running(seen)] if seen.running else []
    parts += _last(seen, width) if seen.last else []
    parts += [_text(f"AWS says: {problem}; trying again", "red", most=None)] if problem else []
    return Lines(*parts)


def _counts(seen: Snapshot) -> Table:
    queue, group = seen.queue, seen.capacity
    waiting = f"{queue.visible} waiting, {queue.in_flight} in flight, {queue.delayed} delayed"
    letters = f", {seen.dead_letters} dead letters" if seen.dead_letters is not None else ""
    table = _table()
    table.add_row("queue", waiting + letters)
    busy = len(seen.at_work)
    if group:
        of = f"{group.in_service} in service, {group.pending} starting, {group.leaving} leaving, {group.desired} wanted"
        table.add_row("workers", f"{of}; {busy} busy")
    else:
        table.add_row("workers", f"{busy} busy (idle ones are unknown without a worker group)")
    return table


def _running(seen: Snapshot) -> Table:
    table = _table("running", "step", "for", "worker")
    for build in seen.running:
        silent = f" (no news since {build.silent_since:%H:%M:%S})" if build.silent_since else ""
        table.add_row(*map(_text, (build.app, build.step, _duration(build.seconds), build.worker + silent)))
    return table


def _last(seen: Snapshot, width: int) -> list[RenderableType]:
    """Return the latest receipts. A URL is never broken: a screen that is drawn again and again cannot be scrolled."""
    rows = [
        (one_line(it.app, WIDEST), it.status, f"{it.updated:%m-%d %H:%M:%S}", _fitting(it, width)) for it in seen.last
    ]
    return list(lines(("last", "status", "when (UTC)", "where or why"), rows, width, _style))


def _fitting(told: Told, width: int) -> str:
    if told.what.startswith("http") and len(told.what) + INDENT > width:
        stage, _, name = told.app.partition("/")
        return one_line(f"auto-lambda url {name}" + ("" if stage == DEFAULT_STAGE else f" -s {stage}"))
    return one_line(told.what)


def _style(column: int, cell: str) -> str:
    return COLOURS.get(cell, "") if column == 1 else ""


def _table(*headings: str) -> Table:
    from rich.table import Table

    return Table(*headings, box=None, pad_edge=False, show_header=bool(headings))


def _text(value: str, style: str = "", most: int | None = WIDEST) -> Text:
    """What an uploader may have written, fit for a cell."""
    from rich.text import Text

    return Text(one_line(value, most), style)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
