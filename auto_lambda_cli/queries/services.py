"""The services of one pipeline that queries use, with the credentials of whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auto_lambda_cli.queries.parts import Unknown

if TYPE_CHECKING:
    import boto3

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
    """

    bucket: str
    session: boto3.Session
    table: str | None = None

    @classmethod
    def of(cls, bucket: str, environ: Mapping[str, str]) -> Services:
        """Return the services of a pipeline, by the environment that names its parts."""
        from auto_lambda.aws.session import make_session

        return cls(bucket, make_session(), environ.get(TABLE) or None)

    def client(self, service: str, *, read_timeout: float = 60, attempts: int = 5) -> Any:
        """Make a client of a service."""
        from auto_lambda.aws.session import client

        return client(self.session, service, read_timeout=read_timeout, attempts=attempts)

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
