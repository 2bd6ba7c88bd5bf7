"""Puts the checks together: everything that a worker with these settings would use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from auto_lambda.aws import sts
from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.quotas import AccountQuotas
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.sqs import Queue
from auto_lambda.settings import WorkerSettings
from auto_lambda.tools import cache_folder, interpreters
from worker.builds.compose import probe
from worker.builds.conversation import BuildTrouble
from worker.index.hosts import discover
from worker.operations.doctor import machine as machines
from worker.operations.doctor import pipeline as pipelines
from worker.operations.doctor import quotas as account
from worker.operations.doctor.certificates import certificates
from worker.operations.doctor.finding import Finding, asked


def machine(chosen: WorkerSettings | None) -> Iterator[Finding]:
    """Check this machine; without settings, by the defaults."""
    yield machines.pythons(interpreters(), chosen.python if chosen else None)
    yield from _builders(chosen)
    yield machines.compiler()
    yield from machines.disks((chosen.cache, chosen.work_dir) if chosen else (cache_folder(),))
    indexes = discover(os.environ)
    yield from machines.indexes(indexes)
    yield from certificates(indexes)


def _builders(chosen: WorkerSettings | None) -> Iterator[Finding]:
    """Start a builder as the worker would, and ask it."""
    sandbox = chosen.sandbox if chosen else "bubblewrap"
    try:
        walls, problem = probe(sandbox, chosen.builder_socket if chosen else None)
    except BuildTrouble as error:
        yield machines.builder_silent(error)
        return
    yield machines.walls(walls)
    yield machines.sandbox(problem, sandbox)


def pipeline(chosen: WorkerSettings, clients: Callable[[str], Any]) -> Iterator[Finding]:
    """Check its pipeline; ``clients`` makes a boto3 client by the service's name."""
    made = cache(clients)  # called inside each check, since making a client may be what fails

    def store() -> ObjectStore:
        return ObjectStore(made("s3"))

    def queue(url: str) -> Queue:
        return Queue(made("sqs"), url)

    uploads, url, dead = chosen.uploads_bucket, chosen.queue_url, chosen.dead_letter_queue_url
    yield asked("identity", lambda: Finding("identity", "fine", sts.whoami(made("sts"))))
    yield asked("uploads bucket", lambda: pipelines.uploads(store(), uploads))
    yield asked("announcements", lambda: pipelines.announcements(store(), uploads, queue(url)))
    yield asked("artifacts bucket", lambda: pipelines.artifacts(store(), chosen.artifacts_bucket))
    yield asked("grants", lambda: pipelines.grants(store(), chosen.artifacts_bucket))
    yield asked("queue", lambda: pipelines.queue(queue(url)))
    if dead:
        yield asked("dead letters", lambda: pipelines.dead_letters(queue(dead)))
    yield asked("ledger", lambda: pipelines.ledger(Table(made("dynamodb"), chosen.table), chosen.table))
    if "AWS_ENDPOINT_URL" not in os.environ:  # an emulator has no quotas
        group = f"{chosen.artifacts_bucket.partition('-artifacts-')[0]}-workers"
        yield from account.quotas(AccountQuotas(made), group)
