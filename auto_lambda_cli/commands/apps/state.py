"""``auto-lambda status NAME``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from auto_lambda.redact import one_line, printable
from auto_lambda_cli.commands.apps.common import asked, moment
from auto_lambda_cli.exits import plain_errors, say
from auto_lambda_cli.outcome import logged, words
from auto_lambda_cli.queries.state import AppState, Failure, LiveState, UnderWay
from auto_lambda_cli.queries.state import state as ask

_SHORT = 12  # characters of a release's id
Line = tuple[str, str]


def state(name: str, stage: str, *, as_json: bool, local: bool, bucket: str | None) -> None:
    """Print the state of one app."""
    about = asked(name, stage, local=local, bucket=bucket)
    with plain_errors():
        told = ask(about.services, about.app)
        if not told.exists:
            raise about.missing()
    if as_json:
        say(json.dumps(as_dict(told), indent=2))
        return
    say(f"{told.app}, {about.target}")
    lines = list(_lines(told))
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        say(f"  {label:<{width}}  {text}".rstrip())


def as_dict(told: AppState) -> dict[str, Any]:
    """Return the JSON form."""
    parts = {"live": told.live, "under_way": told.under_way}
    return {
        "app": told.app.name,
        "stage": told.app.stage,
        "status": told.receipt.status if told.receipt else "queued",
        **{name: _json(asdict(part)) if part else None for name, part in parts.items()},
        "failures": [_json(asdict(one)) for one in told.failures],
        "unknown": [asdict(one) for one in told.unknown],
    }


def _json(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def _lines(told: AppState) -> Iterator[Line]:
    yield from _live(told.live) if told.live else (("live", "nothing"),)
    if told.live and told.live.previous:
        command = f"auto-lambda rollback {words(told.app)}"
        yield "before", f"release {told.live.previous[:_SHORT]}; to restore it: {command}"
    if told.under_way:
        yield "under way", _under_way(told.under_way)
        if silent := _silence(told.under_way, datetime.now(UTC)):
            yield "", silent
    for failure in told.failures:
        yield from _failure(failure)
    if told.failures:
        yield "", f"the whole log of the newest zip: auto-lambda logs {words(told.app)}"
    for unknown in told.unknown:
        yield "not known", str(unknown)


def _live(live: LiveState) -> Iterator[Line]:
    release = f"release {live.release[:_SHORT]}" if live.release else "a release"
    by = f", by {one_line(live.by)}" if live.by else ""
    yield "live", f"{release} since {moment(live.since)}{by}"
    if live.url:
        yield "url", one_line(live.url)
    yield "function", one_line(f"{live.function} version {live.version}")
    if live.framework:
        yield "made with", one_line(live.framework + (f", Python {live.python}" if live.python else ""))


def _under_way(it: UnderWay) -> str:
    step = f", {it.step}" if it.step else ""
    since = f" since {moment(it.since)}" if it.since else ""
    release = f", release {it.release[:_SHORT]}" if it.release else ""
    by = f", by {it.by}" if it.by else ""
    reason = it.reason or ("no worker has received it yet" if it.status == "queued" and not it.worker else "")
    return one_line(f"{it.status}{step}{since}{release}{by}" + (f": {reason}" if reason else ""))


def _silence(it: UnderWay, now: datetime) -> str:
    """Say since when nothing has come from the worker, if that is too long."""
    if it.lost_after is None or now <= it.lost_after:
        return ""
    worker = it.worker or "the worker"
    return one_line(
        f"no news from {worker} since {moment(it.heard)}; if it was lost, another one takes over soon after "
        f"{moment(it.held_until)}"
    )


def _failure(it: Failure) -> Iterator[Line]:
    step = f" in {it.step}" if it.step else ""
    release = f", release {it.release[:_SHORT]}" if it.release else ""
    by = f", by {it.by}" if it.by else ""
    yield "failed", one_line(f"{moment(it.when)}: {it.code}{step}{release}{by}")
    for text in (it.message, *logged(it.function_log), it.hint):
        for line in printable(text or "").splitlines():
            yield "", line.rstrip()
