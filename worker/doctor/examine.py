"""Composition of an examination: what a worker with these settings would work with, one thing after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from auto_lambda.aws import sts
from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.sqs import Queue
from auto_lambda.settings import WorkerSettings
from auto_lambda.tools import cache_folder, interpreters
from worker.build.bubblewrap import BubblewrapSandbox
from worker.build.indexes import Indexes, discover
from worker.build.sandbox import PlainSandbox
from worker.doctor import machine as machines
from worker.doctor import pipeline as pipelines
from worker.doctor.finding import Finding, asked


def machine(chosen: WorkerSettings | None) -> Iterator[Finding]:
    """What there is to say of this machine; without settings, by the defaults."""
    yield machines.pythons(interpreters(), chosen.python if chosen else None)
    nothing = BubblewrapSandbox(PlainSandbox(), (), lambda: Indexes((), frozenset()))
    yield machines.sandbox(nothing.check, chosen.sandbox if chosen else "bubblewrap")
    yield machines.compiler()
    yield from machines.disks((chosen.cache, chosen.work_dir) if chosen else (cache_folder(),))
    yield from machines.indexes(discover(os.environ))


def pipeline(chosen: WorkerSettings, clients: Callable[[str], Any]) -> Iterator[Finding]:
    """What there is to say of its pipeline; ``clients`` makes one of AWS's by the service's name."""
    store, queue = ObjectStore(clients("s3")), Queue(clients("sqs"), chosen.queue_url)
    table = Table(clients("dynamodb"), chosen.table)

    def identity() -> Finding:
        return Finding("identity", "fine", sts.whoami(clients("sts")))

    yield asked("identity", identity)
    yield asked("uploads bucket", partial(pipelines.uploads, store, chosen.uploads_bucket, queue))
    yield asked("artifacts bucket", partial(pipelines.artifacts, store, chosen.artifacts_bucket))
    yield asked("queue", partial(pipelines.queue, queue))
    if url := chosen.dead_letter_queue_url:
        yield asked("dead letters", partial(pipelines.dead_letters, Queue(clients("sqs"), url)))
    yield asked("ledger", partial(pipelines.ledger, table, chosen.table))
