"""Reads the newest attempts of all apps, through the ledger's index ``recent``.

The index has the partition ``recent`` = ``attempts`` and is sorted by ``started``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from auto_lambda.attempts import PARTITION, RECENT, Attempt
from auto_lambda.aws.dynamodb import plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "recent"

_UNUSABLE = {
    "ResourceNotFoundException": "there is no such table, or it has no index `recent`",
    "AccessDeniedException": "we are not allowed to read its index `recent`",
    "ValidationException": "it has no index `recent`; update the pipeline: auto-lambda pipeline upgrade",
}


class LedgerUnusable(Exception):
    """The table does not exist, we may not read it, or it is no ledger; the message says which, and names it."""


class RecentAttempts:
    """The index of one table. Its other exceptions are botocore's."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def newest(self, at_most: int) -> list[Attempt]:
        """Return the attempts that started last, latest first. One call.

        Raises:
            LedgerUnusable: there is no such table or index, or it may not be read.
        """
        with self._usable():
            answer = self._client.query(**self._asked("#partition = :partition"), ScanIndexForward=False, Limit=at_most)
        return [Attempt.of(plain(item)) for item in answer["Items"]]

    def since(self, moment: datetime) -> Iterator[Attempt]:
        """Yield every attempt that started then (UTC) or later, in order of their start. One call for each megabyte.

        Raises:
            LedgerUnusable: as `newest`.
        """
        asked = self._asked("#partition = :partition AND started >= :moment", moment=moment.isoformat())
        pages = iter(self._client.get_paginator("query").paginate(**asked))
        while True:
            with self._usable():
                page = next(pages, None)
            if page is None:
                return
            yield from (Attempt.of(plain(item)) for item in page["Items"])

    def _asked(self, condition: str, **values: str) -> Any:
        texts = {"partition": PARTITION, **values}
        return {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#partition": RECENT},
            "ExpressionAttributeValues": {f":{name}": {"S": text} for name, text in texts.items()},
        }

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if why := _UNUSABLE.get(error.response.get("Error", {}).get("Code", "")):
                raise LedgerUnusable(f"the ledger {self._table} cannot be used: {why}") from error
            raise
