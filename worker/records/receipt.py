"""What the uploader sees: ``<name>.receipt.json`` and ``<name>.log`` beside the zip.

The receipt's fields are a contract, described in docs/reference/receipt.md. Intermediate states are written by a thread
of their own, as well as may be; the final one is written before the message counts as done, or the attempt has failed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from auto_lambda import __version__, keys, logs
from auto_lambda.errors import AppError, Code
from auto_lambda.model import Proof
from auto_lambda.receipts import Receipt, ReceiptError, Serving, Step
from auto_lambda.redact import Redactor, printable
from builder.model import Source
from worker.model import Deployment, Release, Upload

_DEPLOYING: frozenset[str] = frozenset({"deploy", "verify"})
_LOG_LIMIT = 4 * 1024 * 1024  # characters
_REASON_LIMIT = 500  # characters

_log = logs.get("receipt")


class Store(Protocol):
    """Where receipts and logs are put."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store a small object."""


def receipt_of(upload: Upload, worker: str) -> Receipt:
    """Return the receipt of an upload of which only the announcement is known."""
    return Receipt(
        key=upload.key, worker=worker, app=upload.app.name, stage=upload.app.stage,
        object_version=upload.version, size=upload.size, rollback=upload.rollback,
    )  # fmt: skip


class Report:
    """Tells the uploader of one attempt. A context manager; one of `live`, `failed`, `superseded`, `delayed` ends it.

    Args:
        receipt: where the report starts.
        bucket: of the upload; receipt and log go beside it.
        store: where to write.
        redact: takes secrets out of every line.
        now: the time, in UTC.
        clock: seconds, monotonic.
        began: is told of each step that begins, with the upload's key.
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
        self._now = now
        self._clock = clock
        self._began = began
        self._started = clock()
        self._inner_seconds = 0.0
        self._resumed_timings: Mapping[str, float] = {}
        self._lock = threading.Lock()
        self._lines = [f"auto-lambda {__version__}, {receipt.key}, {now().isoformat(timespec='seconds')}"]
        self._room = _LOG_LIMIT
        self._latest = Latest(self._write)

    @property
    def receipt(self) -> Receipt:
        """The present state."""
        return self._receipt

    def __enter__(self) -> Self:
        self._latest.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._latest.close()

    @contextmanager
    def step(self, name: Step) -> Iterator[None]:
        """What happens inside is this step: the receipt names it, the log has its title, its seconds are kept.

        A step inside a step has its seconds to itself.
        """
        began, outside = self._clock(), self._inner_seconds
        self._inner_seconds = 0.0
        self._change(step=name, status="deploying" if name in _DEPLOYING else "building")
        self._append(f"== {name}")
        self._latest.want()
        self._began(self._receipt.key, name)
        try:
            yield
        finally:
            took = self._clock() - began
            self._change(timings={**self._receipt.timings, name: took - self._inner_seconds})
            self._inner_seconds = outside + took
            self._latest.want()

    def say(self, text: str) -> None:
        """Add lines to the log."""
        for line in self._clean(text).split("\n"):
            self._append(f"   {line}")
        self._latest.want_sometime()

    def warn(self, text: str) -> None:
        """Add something that is no obstacle, but that the uploader should know; once is enough."""
        text = self._clean(text)
        if text not in self._receipt.warnings:
            self._change(warnings=(*self._receipt.warnings, text))
            self.say(f"warning: {text}")

    def fetched(self, upload: Upload, sha256: str, size: int) -> None:
        """The zip is here."""
        self._change(object_version=upload.version, sha256=sha256, size=size)

    def inspected(self, source: Source) -> None:
        """We know what it is."""
        self._change(framework=source.framework, python=source.python, architecture=source.architecture)

    def follow(self, log: str) -> None:
        """An earlier attempt at the same upload came to something: what it told comes before what is told now."""
        with self._lock:
            self._lines[:0] = log.splitlines()
            self._room -= len(log)

    def resumed(self, release: Release) -> None:
        """An earlier attempt at the same upload has finished all up to here."""
        self._resumed_timings = release.timings
        self._adopt(release)

    def restored_release(self, release: Release) -> None:
        """What was live before is to be so again, as it was."""
        self.say(f"version {self._receipt.rollback} of this zip was live: its release is taken again, as it was")
        self._adopt(release)

    def _adopt(self, release: Release) -> None:
        self._change(
            object_version=release.object_version, sha256=release.sha256, size=release.size,
            framework=release.framework, python=release.python, architecture=release.architecture,
            proof=release.proof, timings={**self._receipt.timings, **release.timings},
            warnings=tuple(dict.fromkeys((*self._receipt.warnings, *release.warnings))),
        )  # fmt: skip
        self.say(f"built, proved and stored already: {release.template_key}")

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by step, of the steps that ran in this attempt."""
        return {step: took for step, took in self._receipt.timings.items() if step not in self._resumed_timings}

    def proved(self, proof: Proof) -> None:
        """It starts."""
        self._change(proof=proof)

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
        """What was live before is live again, under another version."""
        if serving := self._receipt.serving:
            self._change(serving=replace(serving, url=deployment.url, version=deployment.version))

    def failed(self, error: AppError) -> None:
        """The uploader has something to fix. Raises what the store raises."""
        problem = ReceiptError(str(error.code), self._clean(error.message), self._clean(error.hint))
        self.say(f"failed: {problem.code}\n{problem.message}\n{problem.hint}")
        self._finish(status="failed", error=problem)

    def superseded(self) -> None:
        """A newer version of the object takes this one's place. Raises what the store raises."""
        self.say("superseded: a newer upload takes its place")
        self._finish(status="superseded", error=None)

    def undeployed(self) -> None:
        """The zip was deleted, and the app with it. Raises what the store raises."""
        self.say("superseded: the zip was deleted, and the app is taken out of AWS")
        self._finish(status="superseded", serving=None, error=None)

    def delayed(self, reason: Exception) -> None:
        """Our side failed; it is tried again. Raises what the store raises."""
        what = self._clean(f"{type(reason).__name__}: {reason}")[:_REASON_LIMIT]
        message = f"Something failed on our side, not in your app: {what}"
        hint = (
            "Nothing to do: it is tried again by itself. If it stays like this, show the log to who runs the pipeline."
        )
        self.say(f"delayed: {message}")
        self._finish(status="delayed", error=ReceiptError(Code.OUR_SIDE, message, hint))

    def _finish(self, **changes: Any) -> None:
        self._change(**changes)
        self._latest.close()
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
            receipt, log = self._receipt, "\n".join(self._lines) + "\n"
        # The log first: who sees the final receipt finds the whole log.
        self._store.put(self._bucket, keys.log_key(receipt.key), log.encode(), "text/plain; charset=utf-8")
        body = json.dumps(replace(receipt, updated=self._now()).as_json(), indent=2).encode()
        self._store.put(self._bucket, keys.receipt_key(receipt.key), body, "application/json")


class Latest:
    """Writes the latest state in a thread of its own, so that no step waits for it. Its failures are only logged.

    Args:
        write: writes the present state.
        spacing: seconds between two writes, at least.
        sometime: seconds after which `want_sometime` counts.
    """

    def __init__(self, write: Callable[[], None], *, spacing: float = 0.25, sometime: float = 5.0) -> None:
        self._write = write
        self._spacing = spacing
        self._sometime = sometime
        self._written = time.monotonic()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receipt", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def want(self) -> None:
        """There is something new to write."""
        self._wanted.set()

    def want_sometime(self) -> None:
        """There is something new that can wait a few seconds."""
        if time.monotonic() - self._written > self._sometime:
            self._wanted.set()

    def close(self) -> None:
        """Wait for a write in flight; none happens afterwards. Any number of times."""
        self._closed.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - a missed intermediate state harms nobody
                _log.warning("intermediate receipt not written", error=str(error))
            self._written = time.monotonic()
            self._closed.wait(self._spacing)
