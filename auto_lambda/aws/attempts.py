"""The newest attempts at builds, over all apps: the ledger's history through its index ``recent``. Read only.

The index has the partition ``recent`` = ``attempts`` and is sorted by ``started``;
docs/reference/ledger.md has the items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "recent"
PARTITION = "attempts"

_UNUSABLE = {
    "ResourceNotFoundException": "there is no such table, or it has no index `recent`",
    "AccessDeniedException": "we are not allowed to read its index `recent`",
    "ValidationException": "it has no index `recent`; update the stack with this version's infra/pipeline.yaml",
}


class LedgerUnusable(Exception):
    """The table is not there, not ours to read or not a ledger; the message says which and names it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one upload. All times are in UTC.

    Attributes:
        subject: the upload: its key and version.
        number: how often its message has been received, this time included.
        sent: when the queue took its message first; None if that is not known.
        started: when a worker began.
        ended: None while it runs, and for ever if its worker was killed.
        outcome: ``live``, ``failed``, ``superseded``, ``delayed``, ``handed back``, ``undeployed``; None as ``ended``.
    """

    subject: str
    number: int
    sent: datetime | None
    started: datetime
    ended: datetime | None
    outcome: str | None


class Attempts:
    """The index of one table. What it raises beyond `LedgerUnusable` is botocore's."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def newest(self, at_most: int) -> list[Attempt]:
        """The attempts that began last, the last first. One call.

        Raises:
            LedgerUnusable: there is no such table or index, or we may not read it.
        """
        with self._usable():
            answer = self._client.query(**self._asked("#partition = :partition"), ScanIndexForward=False, Limit=at_most)
        return [_attempt(item) for item in answer["Items"]]

    def since(self, moment: datetime) -> Iterator[Attempt]:
        """Every attempt that began then (UTC) or later, the first begun first. A call for each megabyte.

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
            yield from map(_attempt, page["Items"])

    def _asked(self, condition: str, **values: str) -> Any:
        texts = {"partition": PARTITION, **values}
        return {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#partition": "recent"},
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


def _attempt(item: Mapping[str, Any]) -> Attempt:
    texts = {name: value["S"] for name, value in item.items() if "S" in value}
    return Attempt(
        subject=f"{texts.get('key')}@{texts.get('object_version')}",
        number=int(item.get("number", {}).get("N", "1")),
        sent=_moment(texts.get("sent")),
        started=datetime.fromisoformat(texts["started"]),
        ended=_moment(texts.get("ended")),
        outcome=texts.get("outcome"),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
