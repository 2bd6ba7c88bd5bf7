"""Collects in a thread of its own: what a worker has deployed soon after, and what others have left, now and then."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from auto_lambda import logs
from auto_lambda.aws.dynamodb import Value
from auto_lambda.keys import App
from worker.cancellation import Cancelled
from worker.records.ledger import PastRelease, past_releases
from worker.records.retention import Due, RetentionRecords, named
from worker.retention.artifacts import ArtifactCollector
from worker.retention.collector import Collector

OTHERS, DAILY = "collect", "collect daily"
"""The names of the duties."""
PAUSE_SECONDS = 60.0
"""Time between two looks at what others have left, in the whole fleet."""
DAY_SECONDS = 86_400.0
_RENEWAL_SECONDS = 10.0
BETWEEN_SECONDS = 1.0
"""Time between two apps that others have left: Lambda answers 15 calls a second, those of deployments among them."""
_FIRST_RETRY, _LAST_RETRY = timedelta(minutes=1), timedelta(days=1)
_OWN = timedelta(seconds=30)
"""An app that is due for less than this is collected by the worker that has deployed it."""
_RELEASES = "releases#"

_log = logs.get("retention")


class Stopped(Exception):
    """The worker is ending: what is left is for another one."""


class Housekeeper:
    """Runs the collectors. Its failures are only logged, since nothing waits for it.

    Args:
        records: what the ledger holds.
        collector: collects the releases of an app.
        artifacts: collects artifacts.
        worker: its name in the ledger.
        between: seconds between two apps that others have left.
        now: the time, in UTC.
    """

    def __init__(
        self,
        records: RetentionRecords,
        collector: Collector,
        artifacts: ArtifactCollector,
        *,
        worker: str,
        between: float = BETWEEN_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = records
        self._collector = collector
        self._artifacts = artifacts
        self._worker = worker
        self._between = between
        self._now = now
        self._changed: set[App] = set()
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def changed(self, app: App) -> None:
        """Note that an app was deployed or removed. Returns at once."""
        self._changed.add(app)
        self._wake.set()

    def start(self) -> threading.Thread:
        """Begin, in a thread that does not keep the process alive."""
        thread = threading.Thread(target=self._run, name="retention", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Begin nothing more. Does not wait: whatever is left half done, another worker does."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._quietly(self.round)
            self._wake.wait(PAUSE_SECONDS)
            self._wake.clear()

    def round(self) -> None:
        """Collect the apps that were deployed here, then in turn with the fleet what others have left."""
        mine = {self._changed.pop() for _ in range(len(self._changed))}
        if mine:
            self._quietly(lambda: self._collect(lambda due: due.app in mine, self._check))
        self._quietly(lambda: self._as_duty(OTHERS, PAUSE_SECONDS, self._others))
        self._quietly(lambda: self._as_duty(DAILY, DAY_SECONDS, self._daily))

    def _others(self, alive: Callable[[], None]) -> None:
        self._collect(lambda due: self._now() - due.when > _OWN, alive, self._between)

    def _collect(self, wanted: Callable[[Due], bool], alive: Callable[[], None], between: float = 0) -> None:
        for due in self._records.due():
            if wanted(due) and not (due.again and self._now() < due.again):
                alive()
                self._quietly(partial(self._collect_one, due, alive))
                self._stopping.wait(between)

    def _collect_one(self, due: Due, alive: Callable[[], None]) -> None:
        """Collect an app; after a failure it is due again later and later."""
        try:
            self._collector.collect(due, alive)
        except (Stopped, Cancelled):
            raise
        except Exception:
            waited = max(_FIRST_RETRY, self._now() - due.when)
            self._records.done(due, self._now() + min(_LAST_RETRY, waited))
            raise

    def _daily(self, alive: Callable[[], None]) -> None:
        found = self._find_due(alive)
        gone = self._artifacts.collect(alive)
        _log.info("collected artifacts", deleted=len(gone), apps=found)

    def _as_duty(self, name: str, every: float, act: Callable[[Callable[[], None]], None]) -> None:
        """Do what one worker of the fleet has to do in that time, if no other has done it."""
        self._check()
        owner = f"{self._worker}/{uuid.uuid4().hex[:12]}"
        duty = self._records.ledger.duty(name, owner=owner, every=every)
        if duty is None:
            return
        try:
            act(self._alive(duty.hold.renew))
            duty.complete()
        finally:
            duty.hold.release()

    def _find_due(self, alive: Callable[[], None]) -> int:
        """Make apps due that nobody has deployed since there is retention, or since fewer releases are kept."""
        found: dict[App, list[Mapping[str, Value]]] = defaultdict(list)
        for item in self._records.items():
            pk = str(item["pk"])
            if pk.startswith(_RELEASES) and (app := named(pk.removeprefix(_RELEASES))):
                found[app].append(item)
        return sum(self._make_due(app, past_releases(items), alive) for app, items in sorted(found.items()))

    def _make_due(self, app: App, releases: dict[str, PastRelease], alive: Callable[[], None]) -> bool:
        alive()
        now = self._now()
        if not self._collector.wants(self._records.ledger.record(app), releases, now):
            return False
        self._records.add(app, now)
        return True

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _alive(self, renew: Callable[[], object]) -> Callable[[], None]:
        """Return what stops the work when the worker ends, and keeps the duty until then."""
        last = time.monotonic()

        def alive() -> None:
            nonlocal last
            self._check()
            if time.monotonic() - last > _RENEWAL_SECONDS:
                renew()
                last = time.monotonic()

        return alive

    def _quietly(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (Stopped, Cancelled):
            _log.info("left to another worker")
        except Exception as error:  # noqa: BLE001 - nothing waits for it, and the next round tries again
            _log.warning("not collected", error=f"{type(error).__name__}: {error}")
