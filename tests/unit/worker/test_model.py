"""Uploads, duplicates, reorderings, two workers, crashes, skewed clocks, lost events: the newest version ends live.

A model plays them against the ledger's and the lease's own code on a table in memory. Its twins lack the fence, or the
comparison of versions; they must fail, or the model could not find what it is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tables import FakeTable

from auto_lambda.attempts import Attempt
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import App
from worker.cancellation import Cancelled
from worker.model import Upload
from worker.records.lease import SKEW, HeldLease
from worker.records.ledger import AppRecord, Claim, Ledger, LiveRelease, decide, put_live

SHOP = App("dev", "shop")
KEY = "apps/dev/shop.zip"
SECONDS = 60.0
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass
class Job:
    """A worker's work on one message, at a step of its own."""

    upload: Upload
    hold: HeldLease
    deploying: bool = False


@dataclass
class Worker:
    skew: float = 0.0
    job: Job | None = None
    batch: tuple[list[int], AppRecord] | None = None
    """Messages in hand, and what the ledger said after they had come."""


@dataclass
class Cloud:
    """``deployed``: what the stack really is; ``by``: jobs that are between the beginning and the end of a deploy."""

    versions: int = 0
    queue: list[int] = field(default_factory=list)
    deployed: int = 0
    by: list[int] = field(default_factory=list)


class Model(RuleBasedStateMachine):
    fenced = True
    compares = True
    deduplicates = True

    def __init__(self) -> None:
        super().__init__()
        self.cloud, self.table, self.seconds = Cloud(), FakeTable(), 1e9
        self.workers = [Worker(), Worker()]

    @initialize(skews=st.tuples(*[st.floats(-SKEW / 2, SKEW / 2)] * 2))
    def clocks(self, skews: tuple[float, float]) -> None:
        for worker, skew in zip(self.workers, skews, strict=True):
            worker.skew = skew

    def ledger(self, worker: Worker) -> Ledger:
        return Ledger(
            self.table, seconds=SECONDS, now=lambda: self.seconds + worker.skew, clock=lambda: self.seconds
        )  # fmt: skip

    def newest(self, _: Upload | None = None) -> Head:
        return Head(KEY, 1, f"v{self.cloud.versions:04}", NOON)

    @rule(times=st.sampled_from([1, 2, 0]))
    def upload(self, times: int) -> None:
        """Announced twice, once, or not at all."""
        self.cloud.versions += 1
        self.cloud.queue += [self.cloud.versions] * times

    @precondition(lambda self: self.cloud.queue)
    @rule(which=st.integers(0, 1), pick=st.integers(0, 9))
    def receive(self, which: int, pick: int) -> None:
        """Any message, in any order. It stays in the queue until it is settled."""
        worker = self.workers[which]
        if worker.job is None:
            self.take(worker, self.cloud.queue[pick % len(self.cloud.queue)])

    def take(self, worker: Worker, version: int) -> None:
        upload = Upload(SHOP, "drops", KEY, f"v{version:04}", f"{version:08X}")
        ledger = self.ledger(worker)
        record = ledger.record(SHOP)
        claim = decide(upload, record, self.newest) if self.compares else Claim(upload, "go")
        if claim.decision != "go":
            self.cloud.queue.remove(version)
            return
        attempt = Attempt(KEY, upload.version, "w", 1, NOON)
        hold = ledger.claim(attempt, upload, record, owner=f"{id(worker)}-{self.seconds}-{record.lease.fence}")
        if hold:
            worker.job = Job(upload, hold)
        elif not self.fenced:
            worker.job = Job(upload, HeldLease(self.table, "none", record.lease, 1e9, 0))

    @precondition(lambda self: self.deduplicates and self.cloud.queue)
    @rule(which=st.integers(0, 1), picks=st.lists(st.integers(0, 9), min_size=1, max_size=4))
    def receive_some(self, which: int, picks: list[int]) -> None:
        """Several messages share one reading of the ledger."""
        versions = [self.cloud.queue[pick % len(self.cloud.queue)] for pick in picks]
        worker = self.workers[which]
        worker.batch = versions, self.ledger(worker).answers([SHOP])[SHOP]

    @precondition(lambda self: any(worker.batch for worker in self.workers))
    @rule(which=st.integers(0, 1))
    def deduplicate(self, which: int) -> None:
        """Much may have happened since that reading. What needs work stays for `receive`."""
        worker = self.workers[which]
        versions, record = worker.batch or ([], AppRecord())
        worker.batch = None
        for version in versions:
            upload = Upload(SHOP, "drops", KEY, f"v{version:04}", f"{version:08X}")
            if version in self.cloud.queue and decide(upload, record, self.newest).decision != "go":
                self.cloud.queue.remove(version)

    @precondition(lambda self: any(worker.job for worker in self.workers))
    @rule(which=st.integers(0, 1))
    def beat(self, which: int) -> None:
        worker = self.workers[which]
        if worker.job:
            self.guarded(worker, worker.job.hold.renew)

    @precondition(lambda self: any(worker.job for worker in self.workers))
    @rule(which=st.integers(0, 1))
    def step(self, which: int) -> None:
        """Begin the deploy, or bring it to its end."""
        worker = self.workers[which]
        job = worker.job
        if job is None:
            return
        if not job.deploying:
            self.guarded(worker, lambda: self.begin(job))
        else:
            self.guarded(worker, lambda: self.end(worker, job))

    def begin(self, job: Job) -> None:
        if self.fenced:
            job.hold.write()
        job.deploying = True
        self.cloud.by.append(id(job))

    def end(self, worker: Worker, job: Job) -> None:
        version = int(str(job.upload.version)[1:])
        live = LiveRelease(
            KEY, job.upload.version, job.upload.sequencer, NOON.isoformat(), "", "chalice", "t", "f", "1", None, ""
        )
        if self.fenced:
            job.hold.finish(put_live(SHOP, live))
        else:
            self.table.write(put_live(SHOP, live))
        self.cloud.deployed = version
        self.forget(worker)
        if version in self.cloud.queue:
            self.cloud.queue.remove(version)

    def guarded(self, worker: Worker, act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except Cancelled:
            self.forget(worker)

    def forget(self, worker: Worker) -> None:
        if worker.job and id(worker.job) in self.cloud.by:
            self.cloud.by.remove(id(worker.job))
        worker.job = None

    @precondition(lambda self: any(worker.job for worker in self.workers))
    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        """At any step; the message stays, and so does the lease."""
        self.forget(self.workers[which])

    @rule(seconds=st.floats(1, SECONDS))
    def wait(self, seconds: float) -> None:
        """Time goes on. Whoever cannot be sure of the lease any more ends by its own clock, as the daemon does."""
        self.seconds += seconds
        for worker in self.workers:
            if worker.job and self.fenced:
                self.guarded(worker, worker.job.hold.check)

    @invariant()
    def never_two_deploys_at_once(self) -> None:
        assert len(self.cloud.by) <= 1

    def teardown(self) -> None:
        """The world becomes quiet: a worker is left, and what was never announced is found."""
        for worker in self.workers:
            self.forget(worker)
        self.seconds += SECONDS + 3 * SKEW
        worker = self.workers[0]
        upload = Upload(SHOP, "drops", KEY, self.newest().version)
        if self.cloud.versions and not self.ledger(worker).record(SHOP).accounts_for(upload, self.newest()):
            self.cloud.queue.append(self.cloud.versions)
        self.cloud.queue += reversed(range(1, self.cloud.versions + 1))  # and every event is told once more
        while self.cloud.queue:
            self.take(worker, self.cloud.queue[0])
            while worker.job:
                self.step(0)
        live = self.ledger(worker).record(SHOP).live
        assert not self.cloud.queue
        assert self.cloud.deployed == self.cloud.versions
        assert not live or live.object_version == self.newest().version


class WithoutFence(Model):
    fenced = False
    deduplicates = False  # what was sorted out can do no harm, and would only make the harm rarer


class WithoutComparison(Model):
    compares = False
    deduplicates = False


QUICK = settings(
    max_examples=250, stateful_step_count=40, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck), phases=(Phase.generate,), print_blob=False,
)  # fmt: skip


def test_whatever_happens_the_newest_version_ends_live_and_nothing_is_lost() -> None:
    run_state_machine_as_test(Model, settings=QUICK)


@pytest.mark.parametrize("twin", [WithoutFence, WithoutComparison])
def test_the_model_finds_what_it_is_for(twin: type[Model]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(twin, settings=settings(QUICK, max_examples=3000))  # ends with the first harm
