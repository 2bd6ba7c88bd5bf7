"""``auto-lambda logs --runtime``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from auto_lambda_cli.commands.apps.common import ChosenApp, asked
from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.queries.runtime_log import LogEvent, RuntimeLog, ago, runtime_log


def runtime(
    name: str,
    stage: str,
    *,
    follow: bool,
    since: str,
    pattern: str | None,
    function: str | None,
    as_json: bool,
    local: bool,
    bucket: str | None,
) -> int:
    """Print what the functions logged, with ``follow`` also what they log from now on, and return the exit code."""
    from auto_lambda.aws.logs import BadPattern

    start = ago(since)
    if start is None:
        raise leave(Exit.USAGE, f"--since {since!r} is neither a time (2026-01-31T12:00) nor a span (90s, 10m, 2h, 3d)")
    about = asked(name, stage, local=local, bucket=bucket)
    show = _json_line if as_json else _line
    try:
        with plain_errors():
            log = runtime_log(about.services, about.app, function)
            if follow:
                return _follow(log.follow(start, pattern), show)
            return _print(about, log, log.events(start, pattern), show, since)
    except BadPattern as error:
        raise leave(Exit.USAGE, f"--filter: {error}") from None
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _print(
    about: ChosenApp, log: RuntimeLog, events: Iterator[LogEvent], show: Callable[[LogEvent], None], since: str
) -> int:
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007 - one by one, however many there are
        show(event)
    if count:
        return Exit.OK
    known = log.functions
    if known:
        tell(f"nothing since {since}; further back: --since 1d")
        return Exit.OK
    about.require()
    tell(f"{about.app} has logged nothing yet, or has no such function: there is no log group of its")
    return Exit.FAILED


def _follow(events: Iterator[LogEvent | None], show: Callable[[LogEvent], None]) -> int:
    for event in events:
        if event:
            show(event)
    return Exit.OK


def _line(event: LogEvent) -> None:
    say(f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {event.function}  {event.message}")


def _json_line(event: LogEvent) -> None:
    say(json.dumps(event.as_json()))
