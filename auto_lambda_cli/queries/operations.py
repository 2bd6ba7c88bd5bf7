"""Approvals and dead letters, by the worker's own modules, as far as those need nothing that only a worker has."""

from __future__ import annotations

from collections.abc import Callable

from auto_lambda.aws import sts
from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.sqs import Queue
from auto_lambda.namespace import Place
from auto_lambda_cli.queries.services import TABLE, Services
from worker.operations.approve import Approvals
from worker.operations.redrive import Redrive
from worker.records.ledger import Ledger

QUEUE, DEAD_LETTERS, ARTIFACTS = (
    "AUTO_LAMBDA_QUEUE_URL", "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL", "AUTO_LAMBDA_ARTIFACTS_BUCKET"
)  # fmt: skip
VISIBILITY = 60  # seconds that listing the dead-letter queue may take
Setting = Callable[[str], str]
"""Returns a setting of the pipeline, or raises what its caller wants raised if it is not set."""


def caller(services: Services) -> str:
    """Return the ARN of whoever asks."""
    return sts.whoami(services.client("sts"))


def place_of(arn: str, region: str | None) -> Place:
    """Return where the pipeline is, by the ARN of whoever asks and the region that is set."""
    parts = arn.split(":")
    return Place(parts[1], str(region), parts[4])


def approvals(services: Services, setting: Setting, by: str) -> Approvals:
    """Return what approves releases, as ``by``."""
    ledger = Ledger(Table(services.client("dynamodb"), setting(TABLE)))
    queue = Queue(services.client("sqs"), setting(QUEUE))
    place = place_of(by, services.session.region_name)
    return Approvals(ledger, services.store, setting(ARTIFACTS), queue, services.bucket, place)


def redrive(services: Services, setting: Setting) -> Redrive:
    """Return what lists dead letters and sends them back."""
    sqs = services.client("sqs")
    dead_letters = Queue(sqs, setting(DEAD_LETTERS), VISIBILITY)
    return Redrive(dead_letters, Queue(sqs, setting(QUEUE)), services.store, services.bucket)
