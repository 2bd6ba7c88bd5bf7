"""Writes the files that the uploader reads: ``<name>.receipt.json`` and ``<name>.log`` beside the zip.

A thread of its own writes intermediate states, on a best-effort basis: when something has changed, and at each
heartbeat, so that whoever waits knows that somebody works. The final state must be written before the message counts as
done; otherwise the attempt has failed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self

from auto_lambda import __version__, keys
from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture, FrameworkName, GuessedSettings, Proof, Traffic
from auto_lambda.receipts import Permissions, Receipt, ReceiptError, Serving, StandingCosts, Step
from auto_lambda.redact import LineRedactor, Redactor, printable
from builder.protocol.traffic import TrafficMessage
from worker.model import Deployment, Release, Upload
from worker.records.background import BackgroundWriter
from worker.traffic.shift import Shift

_DEPLOYING: frozenset[str] = frozenset({"deploy", "verify"})
_LOG_LIMIT = 4 * 1024 * 1024  # characters
_REASON_LIMIT = 500  # characters
_FUNCTION_LINES = 150
_SHOWN = 5  # wide rights in a warning


class Store(Protocol):
    """The bucket for receipts and logs."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store a small object."""


def receipt_of(upload: Upload, worker: str) -> Receipt:
    """Return the receipt of an upload of which only the announcement is known."""
    return Receipt(
        key=upload.key, worker=worker, app=upload.app.name, stage=upload.app.stage,
        object_version=upload.version, size=upload.size, rollback=upload.rollback, by=upload.by,
        commit=upload.commit,
    )  # fmt: skip


class Report:
    """Reports one attempt to the uploader. A context manager; `live`, `failed`, `superseded` or `delayed` ends it.

    Args:
        receipt: the first state.
        bucket: of the upload; receipt and log go beside it.
        store: S3.
        redact: removes secrets from every line; no other report has the same.
        now: the time, in UTC.
        clock: seconds, monotonic.
        began: takes each step that starts, with the upload's key.
    """

    def __init__(
        self,
        receipt: Receipt,
        bucket: str,
        store: Store,
        redact: Redactor,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        began: Callable[[str, Step], None] = lambda _key, _step: None,
    ) -> None:
        self._receipt = receipt
        self._bucket = bucket
        self._store = store
        self._redact = redact
        self._redact_line = LineRedactor(redact)
        self._now = now
        self._clock = clock
        self._began = began
        self._started = clock()
        self._inner_seconds = 0.0
        self._resumed_timings: Mapping[str, float] = {}
        self._lock = threading.Lock()
        self._ended = False
        self._lines = [f"auto-lambda {__version__}, {receipt.key}, {now().isoformat(timespec='seconds')}"]
        self._room = _LOG_LIMIT
        self._written: int | None = None
        self._writer = BackgroundWriter(self._write)

    @property
    def receipt(self) -> Receipt:
        """The current state."""
        return self._receipt

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    @contextmanager
    def step(self, name: Step) -> Iterator[None]:
        """Report what happens inside as this step: in the receipt, as a heading in the log, and with its seconds.

        The seconds of a nested step do not count for the outer one; those of a step that is done twice are added up.
        """
        began, outside = self._clock(), self._inner_seconds
        self._inner_seconds = 0.0
        self._change(step=name, status="deploying" if name in _DEPLOYING else "building", step_began=self._now())
        self._append(f"== {name}")
        self._writer.request()
        self._began(self._receipt.key, name)
        try:
            yield
        finally:
            took = self._clock() - began
            known = self._receipt.timings
            self._change(timings={**known, name: known.get(name, 0) + took - self._inner_seconds})
            self._inner_seconds = outside + took
            self._writer.request()

    def held(self, until: float) -> None:
        """Say until when the upload is this worker's, in seconds since 1970; nothing once its end is being told."""
        with self._lock:
            if self._ended:
                return
            self._receipt = replace(self._receipt, held_until=datetime.fromtimestamp(until, UTC))
        self._writer.request()

    def say(self, text: str) -> None:
        """Add lines to the log."""
        with self._lock:
            clean = self._redact_line(printable(text)).rstrip("\n")
        for line in clean.split("\n"):
            self._append(f"   {line}")
        self._writer.request_debounced()

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide more values from now on."""
        self._redact.hide(secrets)

    def hidden(self, text: str) -> str:
        """Return a text without what this report hides, for our own log."""
        return self._clean(text)

    def warn(self, text: str) -> None:
        """Add a warning; a repeated one is ignored."""
        text = self._clean(text)
        if text not in self._receipt.warnings:
            self._change(warnings=(*self._receipt.warnings, text))
            self.say(f"warning: {text}")

    def fetched(self, upload: Upload, sha256: str, size: int) -> None:
        """Report the fetched zip."""
        self._change(object_version=upload.version, sha256=sha256, size=size)

    def recognised(self, framework: FrameworkName, python: str, architecture: Architecture) -> None:
        """Say what the app is and what it is built for."""
        self._change(framework=framework, python=python, architecture=architecture)

    def guessed(self, settings: GuessedSettings) -> None:
        """Show the settings that are used, as the zip holds none."""
        self._change(settings=GuessedSettings(self._clean(settings.file), self._clean(settings.text)))

    def follow(self, log: str) -> None:
        """Put the log of an earlier attempt at the same upload before our own."""
        with self._lock:
            self._lines[:0] = log.splitlines()
            self._room -= len(log)

    def resumed(self, release: Release, *, quietly: bool = False) -> None:
        """Report a release that an earlier attempt at the same upload has finished.

        Args:
            release: the release.
            quietly: whether the log has that already.
        """
        self._resumed_timings = release.timings
        self._adopt(release, quietly=quietly)

    def restored_release(self, release: Release) -> None:
        """Report a release that a rollback deploys again."""
        self.say(f"version {self._receipt.rollback} of this zip was live: its release is deployed again, unchanged")
        self._adopt(release)

    def shifts(self, plan: TrafficMessage, shift: Shift) -> None:
        """Report where the shift of traffic is."""
        told = Traffic(plan.kind, shift.weight, shift.since, shift.began, plan.percent, plan.interval)
        self._change(traffic=told)

    def goes_on(self) -> None:
        """Write what there is: the traffic shifts, and somebody looks later. Raises what the store raises."""
        self._finish(status="deploying")

    def _adopt(self, release: Release, *, quietly: bool = False) -> None:
        self._change(
            object_version=release.object_version, sha256=release.sha256, size=release.size,
            framework=release.framework, python=release.python, architecture=release.architecture,
            proof=release.proof, timings={**self._receipt.timings, **release.timings},
            warnings=tuple(dict.fromkeys((*self._receipt.warnings, *release.warnings))),
        )  # fmt: skip
        if not quietly:
            self.say(f"built, proved and stored already: {release.template_key}")

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by step, for the steps that ran in this attempt."""
        return {step: took for step, took in self._receipt.timings.items() if step not in self._resumed_timings}

    def reviewed(self, permissions: Permissions, wide: Iterable[str]) -> None:
        """Report the rights that the release asks for, and those among them that are for every resource of a kind."""
        has, added, removed = (
            # Names in policies are no secrets, and to hide a part of one would hide a right.
            tuple(map(printable, lines))
            for lines in (permissions.has, permissions.added, permissions.removed)
        )
        told = replace(permissions, has=has, added=added, removed=removed)
        self._change(permissions=told)
        changes = ("what the app's roles may do has changed:", *told.changes)
        self.say("\n".join(changes) if told.changes else "rights as before")
        if everything := list(wide):
            more = f" and {len(everything) - _SHOWN} more" if len(everything) > _SHOWN else ""
            self.warn(
                f"these rights are for every resource of a kind: {'; '.join(everything[:_SHOWN])}{more}. "
                "Name the resources that the app uses"
            )

    def proved(self, proof: Proof) -> None:
        """Report that the package starts."""
        self._change(proof=proof)

    def priced(self, costs: StandingCosts | None) -> None:
        """Report what the release costs a month though nobody uses it."""
        self._change(costs=costs)
        if costs:
            self.say(str(costs))

    def live(self, deployment: Deployment, previous_version: str | None = None) -> None:
        """End as live. Raises what the store raises.

        Args:
            deployment: what is live.
            previous_version: the version of the zip that a rollback leads to.
        """
        where = f" at {deployment.url}" if deployment.url else ""
        self.say(f"live: {deployment.function} version {deployment.version}{where}")
        serving = Serving(
            deployment.url, deployment.function, deployment.version, self._receipt.object_version, previous_version
        )
        self._finish(
            status="live", url=deployment.url, function=deployment.function, version=deployment.version,
            alias=deployment.alias, serving=serving, error=None,
        )  # fmt: skip

    def restored(self, deployment: Deployment) -> None:
        """Report that what was live before is live again, as another function version."""
        if serving := self._receipt.serving:
            self._change(
                serving=replace(serving, url=deployment.url, version=deployment.version),
                url=deployment.url, function=deployment.function,
            )  # fmt: skip

    def stays(self, deployment: Deployment, object_version: str | None) -> None:
        """Report what the stack has though it failed, since nothing was live before it.

        Args:
            deployment: what the stack has.
            object_version: the version of the zip that it was made from, if that is known.
        """
        serving = Serving(deployment.url, deployment.function, deployment.version, object_version)
        self._change(serving=serving, url=deployment.url, function=deployment.function)

    def failed(self, error: AppError) -> None:
        """End as failed: the uploader has something to fix. Raises what the store raises."""
        problem = ReceiptError(str(error.code), self._clean(error.message), self._clean(error.hint))
        told = LineRedactor(self._redact)(printable(error.function_log))
        lines = [line.rstrip() for line in told.splitlines()][-_FUNCTION_LINES:]
        if lines:
            self.say("\n".join(("the function logged:", *(f"  {line}" for line in lines))))
        self.say(f"failed: {problem.code}\n{problem.message}\n{problem.hint}")
        self._finish(status="failed", error=problem, function_log=tuple(lines))

    def superseded(self) -> None:
        """End as superseded: a newer version of the object takes the place. Raises what the store raises."""
        self.say("superseded: a newer upload takes its place")
        self._finish(status="superseded", error=None)

    def undeployed(self) -> None:
        """End as undeployed: the zip was deleted, and the app with it. Raises what the store raises."""
        self.say("superseded: the zip was deleted, and the app was removed from AWS")
        self._finish(status="superseded", serving=None, url=None, function=None, error=None)

    def delayed(self, reason: Exception) -> None:
        """End as delayed: our side failed, and the upload is retried. Raises what the store raises."""
        what = self._clean(f"{type(reason).__name__}: {reason}")[:_REASON_LIMIT]
        message = f"Something failed on our side, not in your app: {what}"
        hint = (
            "No action needed: it is retried automatically. If this does not end, show the log to whoever runs the "
            "pipeline."
        )
        self.say(f"delayed: {message}")
        self._finish(status="delayed", error=ReceiptError(Code.OUR_SIDE, message, hint))

    def put_off(self, reason: Exception, seconds: float) -> None:
        """End as delayed: AWS throttles the work, which is repeated later. Raises what the store raises."""
        retry_at = self._now() + timedelta(seconds=seconds)
        message = f"AWS makes no more of these at the moment: {self._clean(str(reason))[:_REASON_LIMIT]}"
        hint = (
            f"No action needed: it is tried again in {seconds:.0f} s, at {retry_at:%H:%M:%S} UTC. This does not count "
            "as an attempt."
        )
        self.say(f"delayed: {message}\n{hint}")
        self._finish(status="delayed", error=ReceiptError(Code.THROTTLED, message, hint), retry_at=retry_at)

    def _finish(self, **changes: Any) -> None:
        with self._lock:
            self._ended = True
            self._receipt = replace(self._receipt, **changes, step_began=None, held_until=None)
        self._writer.close()
        self._write()

    def _clean(self, text: str) -> str:
        return self._redact(printable(text)).rstrip("\n")

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._receipt = replace(self._receipt, **changes)

    def _append(self, line: str) -> None:
        with self._lock:
            if self._room < 0:
                return
            self._room -= len(line) + 1
            stamp = f"{self._clock() - self._started:8.2f} "
            self._lines.append(stamp + line if self._room >= 0 else "(the log is too long, the rest is left out)")

    def _write(self) -> None:
        with self._lock:
            receipt, lines = self._receipt, len(self._lines)
            log = "\n".join(self._lines) + "\n" if lines != self._written else ""
        # The log first, so that whoever sees the final receipt finds the whole log.
        if log:
            self._store.put(self._bucket, keys.log_key(receipt.key), log.encode(), "text/plain; charset=utf-8")
            self._written = lines
        body = json.dumps(replace(receipt, updated=self._now()).as_json(), indent=2).encode()
        self._store.put(self._bucket, keys.receipt_key(receipt.key), body, "application/json")
