"""What the console's answers are made from: one pipeline, with the credentials of whoever started it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from auto_lambda.daemon.memory import trim_memory
from auto_lambda_cli.console.problems import LOGIN, Problem, part
from auto_lambda_cli.queries.apps import KnownReceipts
from auto_lambda_cli.queries.services import TABLE, Services
from auto_lambda_cli.target import Target

T = TypeVar("T")

PATIENCE, ATTEMPTS = 10.0, 2  # of a call to AWS: a person waits for it, and the page asks again
_ENDPOINTS = (
    "autoscaling", "cloudformation", "dynamodb", "logs", "monitoring", "s3", "sqs", "ssm", "sts",
    "oidc", "portal.sso",  # for a login with IAM Identity Center
)  # fmt: skip
"""How botocore calls the endpoints of what is asked."""
CALLS = {
    "autoscaling": ("DescribeAutoScalingGroups",),
    "cloudwatch": ("GetMetricData",),
    "dynamodb": ("BatchGetItem", "DescribeTable", "PutItem", "Query", "Scan", "TransactWriteItems"),
    "logs": ("DescribeLogGroups", "FilterLogEvents"),
    "sqs": (
        "ChangeMessageVisibility", "DeleteMessage", "DeleteMessageBatch", "GetQueueAttributes", "ReceiveMessage",
        "SendMessage",
    ),
    "ssm": ("DeleteParameters", "DescribeParameters", "GetParametersByPath", "PutParameter"),
}  # fmt: skip
"""What is called, of services that have far more. Of S3 and STS nothing is left out: logins and uploads use more."""
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DropLimits:
    """What may be dropped: the bytes of a zip, and the files of a folder with their bytes before they are packed."""

    zip_bytes: int = 5_000 * _MEGABYTE
    folder_files: int = 20_000
    folder_bytes: int = 1_000 * _MEGABYTE


class ConsoleContext:
    """One pipeline. Its services are made anew after a problem with the credentials, so that a login counts.

    Args:
        target: the pipeline.
        environ: names its parts.
        limits: of drops.
        now: the time, in UTC.
        make: makes the services.
    """

    def __init__(
        self,
        target: Target,
        environ: Mapping[str, str],
        *,
        limits: DropLimits = DropLimits(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        make: Callable[[Target, Mapping[str, str]], Services] | None = None,
    ) -> None:
        self.target = target
        self.environ = environ
        self.limits = limits
        self.now = now
        self._make = make or _services
        self._made: Services | None = None
        self.receipts = KnownReceipts()
        self._lock = threading.Lock()

    @property
    def services(self) -> Services:
        """The services, shared by all requests."""
        with self._lock:
            if self._made is None:
                self._made = self._make(self.target, self.environ)
            return self._made

    def asked(self, question: Callable[[], T]) -> T:
        """Ask AWS; afterwards, memory that the question has used and left is given back."""
        try:
            return question()
        finally:
            trim_memory()

    def part(self, question: Callable[[], Any]) -> dict[str, Any]:
        """Ask for one part of an answer: see `problems.part`."""
        return part(question, self.noticed)

    def noticed(self, problem: Problem) -> None:
        """Forget the services if the credentials are the problem: the next question asks with new ones."""
        if problem.code in LOGIN:
            with self._lock:
                self._made = None

    def setting(self, name: str) -> str:
        """Return a setting of the pipeline.

        Raises:
            Problem: it is not set.
        """
        if value := self.environ.get(name):
            return value
        hint = f"Start the console with {name} set: it is among the outputs of the pipeline's stack."
        raise Problem("unset", f"{name} is not set", hint)


def _services(target: Target, environ: Mapping[str, str]) -> Services:
    from auto_lambda.aws.lean import make_core_session

    session = make_core_session(environ.get("AWS_REGION") or None, _ENDPOINTS, CALLS)
    return Services(target.bucket, session, environ.get(TABLE) or None, PATIENCE, ATTEMPTS)
