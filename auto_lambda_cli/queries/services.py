"""The services of one pipeline that queries use, with the credentials of whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auto_lambda_cli.queries.parts import Unknown

if TYPE_CHECKING:
    import boto3

    from auto_lambda.aws.lean import CoreSession
    from auto_lambda.aws.s3 import ObjectStore
    from auto_lambda_cli.queries.history import AppHistory

TABLE = "AUTO_LAMBDA_TABLE"


@dataclass(frozen=True)
class Services:
    """The services of one pipeline. Clients are made when they are needed, and may be shared by threads.

    Attributes:
        bucket: the uploads bucket.
        session: of AWS.
        table: the ledger's name; None if it is not known.
        patience: seconds that a call may go without data.
        attempts: of each call, the first included.
    """

    bucket: str
    session: boto3.Session | CoreSession
    table: str | None = None
    patience: float = 60
    attempts: int = 5

    @classmethod
    def of(cls, bucket: str, environ: Mapping[str, str]) -> Services:
        """Return the services of a pipeline, by the environment that names its parts."""
        from auto_lambda.aws.session import make_session

        return cls(bucket, make_session(), environ.get(TABLE) or None)

    def client(self, service: str, *, read_timeout: float | None = None, attempts: int | None = None) -> Any:
        """Return a client of a service, always the same for the same options."""
        from auto_lambda.aws.session import client

        patience, tries = read_timeout or self.patience, attempts or self.attempts
        wanted = (service, patience, tries)
        with self._making:  # a session makes one client at a time
            if wanted not in self._clients:
                self._clients[wanted] = client(self.session, service, read_timeout=patience, attempts=tries)
            return self._clients[wanted]

    @cached_property
    def _clients(self) -> dict[tuple[str, float, int], Any]:
        return {}

    @cached_property
    def _making(self) -> threading.Lock:
        return threading.Lock()

    @cached_property
    def store(self) -> ObjectStore:
        """The objects."""
        from auto_lambda.aws.s3 import ObjectStore

        return ObjectStore(self.client("s3"))

    @cached_property
    def history(self) -> AppHistory | Unknown:
        """What the ledger holds; `Unknown` if nothing names its table."""
        from auto_lambda.aws.dynamodb import Table
        from auto_lambda_cli.queries.history import AppHistory

        if self.table is None:
            return Unknown("history", f"{TABLE} is not set, which names the pipeline's ledger")
        return AppHistory(Table(self.client("dynamodb"), self.table))
