"""The state of one app: what is live, what is under way, what failed last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from auto_lambda import drops
from auto_lambda.attempts import Attempt
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt
from auto_lambda_cli.queries.history import RecordedLive
from auto_lambda_cli.queries.parts import Unknown, ask
from auto_lambda_cli.queries.services import Services

_ATTEMPTS, _FAILURES = 50, 3
_AT_WORK = frozenset({"queued", "building", "deploying", "delayed"})


@dataclass(frozen=True, slots=True)
class LiveState:
    """What users get.

    Attributes:
        url: where it answers; None without one.
        function: its name.
        version: of the function.
        release: the id of the zip's version.
        since: when it went live, in UTC; None if that is not known.
        by: who dropped it; None if that is not known.
        previous: the release that a rollback leads to.
        framework: of the release.
        python: of the release.
    """

    url: str | None
    function: str | None
    version: str | None
    release: str | None
    since: datetime | None = None
    by: str | None = None
    previous: str | None = None
    framework: str | None = None
    python: str | None = None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A zip that is waiting or being deployed.

    Attributes:
        status: ``queued``, ``building``, ``deploying`` or ``delayed``.
        step: the step that runs.
        release: the id of the zip's version.
        since: when the step began, or the zip that waits came, in UTC.
        by: who dropped it.
        worker: that works on it.
        reason: why it is delayed, or how far its traffic has shifted.
        heard: when the worker wrote last, in UTC.
        lost_after: when it should have written again, in UTC; None: nothing is expected.
        held_until: when another worker may take it over, if this one does not write again, in UTC.
    """

    status: str
    step: str | None
    release: str | None
    since: datetime | None
    by: str | None
    worker: str | None
    reason: str | None = None
    heard: datetime | None = None
    lost_after: datetime | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A zip that failed. ``message``, ``hint`` and ``function_log`` are known of the newest zip only."""

    when: datetime | None
    code: str
    step: str | None
    release: str | None
    by: str | None
    message: str | None = None
    hint: str | None = None
    function_log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppState:
    """The state of one app.

    Attributes:
        app: which one.
        key: the zip's key that the newest receipt is beside.
        receipt: the newest one; None: no worker has received a zip yet.
        live: None if nothing is live.
        under_way: None if nothing is.
        failures: the last ones, the newest first.
        unknown: the parts that could not be told, each with the reason.
    """

    app: App
    key: str
    receipt: Receipt | None
    live: LiveState | None
    under_way: UnderWay | None
    failures: tuple[Failure, ...]
    unknown: tuple[Unknown, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.receipt or self.live or self.under_way or self.failures)


def state(services: Services, app: App) -> AppState:
    """Return the state of one app."""
    key, receipt = drops.latest(services.store, services.bucket, app)
    waiting = ask("queue", partial(drops.waiting_zip, services.store, services.bucket, app))
    history = _from_ledger(services, app)
    unknown = tuple(one for one in (waiting, history) if isinstance(one, Unknown))
    recorded, attempts = (None, ()) if isinstance(history, Unknown) else history
    return AppState(
        app,
        key,
        receipt,
        live_state(receipt, recorded, attempts),
        _under_way(receipt, None if isinstance(waiting, Unknown) else waiting),
        _failures(receipt, attempts),
        unknown,
    )


def _from_ledger(services: Services, app: App) -> tuple[RecordedLive | None, Sequence[Attempt]] | Unknown:
    history = services.history
    if isinstance(history, Unknown):
        return history
    return ask("history", lambda: (history.live(app), history.attempts(app, _ATTEMPTS)))


def live_state(
    receipt: Receipt | None, recorded: RecordedLive | None = None, attempts: Sequence[Attempt] = ()
) -> LiveState | None:
    """Tell what is live by the receipt: workers write it before the ledger, which knows more.

    Args:
        receipt: the newest one.
        recorded: what the ledger says is live.
        attempts: the newest ones, the latest first.
    """
    serving = receipt.live if receipt else None
    if receipt is None or serving is None:
        return None
    own = receipt.status == "live" and receipt.object_version == serving.object_version
    attempt = next(
        (one for one in attempts if one.outcome == "live" and one.object_version == serving.object_version), None
    )
    live = recorded if recorded and recorded.release == serving.object_version else None
    by = (attempt.by if attempt else None) or (receipt.by if own else None)
    return LiveState(
        serving.url,
        serving.function,
        serving.version,
        serving.object_version,
        since=(live.since if live else None) or (receipt.updated if own else None),
        by=str(by) if by else None,
        previous=serving.previous_version,
        framework=(live.framework if live else None) or (receipt.framework if own else None),
        python=(live.python if live else None) or (receipt.python if own else None),
    )


def _under_way(receipt: Receipt | None, waiting: Head | None) -> UnderWay | None:
    if receipt and receipt.status in _AT_WORK:
        by, reason = receipt.by, receipt.error.message if receipt.error else None
        if receipt.shifts:
            reason = f"the new version has {receipt.traffic}"
        return UnderWay(
            receipt.status, receipt.step, receipt.object_version, receipt.step_began or receipt.updated,
            str(by) if by else None, receipt.worker or None, reason, receipt.updated, _lost_after(receipt),
            receipt.held_until,
        )  # fmt: skip
    return UnderWay("queued", None, waiting.version, waiting.modified, None, None) if waiting else None


def _lost_after(receipt: Receipt) -> datetime | None:
    if receipt.updated is None or receipt.patience is None:
        return None
    return receipt.updated + timedelta(seconds=receipt.patience)


def _failures(receipt: Receipt | None, attempts: Sequence[Attempt]) -> tuple[Failure, ...]:
    newest = receipt if receipt and receipt.error and receipt.status == "failed" else None
    found = [
        Failure(
            one.ended or one.started,
            one.code or "failed",
            one.step,
            one.object_version,
            str(one.by) if one.by else None,
        )
        for one in attempts
        if one.outcome == "failed"
    ]
    if newest and newest.error:
        by = str(newest.by) if newest.by else None
        error = newest.error
        told = Failure(
            newest.updated, error.code, newest.step, newest.object_version, by, error.message, error.hint,
            newest.function_log,
        )  # fmt: skip
        found = [told, *(one for one in found if one.release != told.release)]
    return tuple(found[:_FAILURES])
