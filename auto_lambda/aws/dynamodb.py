"""DynamoDB, as far as we use it. The only module that calls it.

Items are plain mappings of strings and numbers with the keys ``pk`` and ``sk``; None values are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tenacity
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | int | float | None
Item = Mapping[str, Value]
SCHEMA = 2
"""The version of the ledger's items that is written: `auto_lambda_cli/pipeline/ledger_schema.py`."""
_MOST_AT_ONCE = 100
_CONFLICTS = {"TransactionConflictException", "TransactionConflict"}


class Refused(Exception):
    """The item in the table is not what the writer expected. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Put:
    """An item to write whole, if every attribute in ``expect`` has that value now; None: it does not exist."""

    item: Item
    expect: Item = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """An item to delete, if it exists, and if every attribute in ``expect`` has that value now."""

    pk: str
    sk: str
    expect: Item = field(default_factory=dict)


class Conflict(Exception):
    """Another transaction writes the same item at the same moment."""


class Unanswered(Exception):
    """A batch read returned only some of the items."""


class Table:
    """One table. All exceptions but `Refused` are botocore's."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def items(self, pk: str, *, newest: int | None = None) -> Iterator[dict[str, Value]]:
        """Read all items of one ``pk``, consistently, by ``sk``; or the ``newest`` so many, newest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
            ScanIndexForward=newest is None,
            PaginationConfig={"MaxItems": newest} if newest else {},
        )
        for page in pages:
            yield from map(plain, page["Items"])

    def item(self, pk: str, sk: str) -> dict[str, Value] | None:
        """Read one item, consistently; None if there is none. It is a query, which is all that people may do."""
        answer = self._client.query(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk = :sk",
            ExpressionAttributeValues=_typed({":pk": pk, ":sk": sk}),
            ConsistentRead=True,
        )
        return next(map(plain, answer["Items"]), None)

    def others(self, prefix: str) -> Iterator[dict[str, Value]]:
        """Read the whole table, consistently, but for items whose ``pk`` begins with a prefix."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression="NOT begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(plain, page["Items"])

    def other_schemas(self, schema: int, *, unmarked: bool) -> Iterator[dict[str, Value]]:
        """Read every item that says it is of another version; with ``unmarked``, those too that say nothing."""
        others = "attribute_not_exists(#schema) OR" if unmarked else "attribute_exists(#schema) AND"
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression=f"{others} #schema <> :schema",
            ExpressionAttributeNames={"#schema": "schema"},
            ExpressionAttributeValues={":schema": {"N": str(schema)}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(plain, page["Items"])

    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Describe the table: the names of its keys, the partition key first, and of its indexes."""
        table = self._client.describe_table(TableName=self._name)["Table"]
        keys = sorted(table["KeySchema"], key=lambda key: key["KeyType"])
        indexes = table.get("GlobalSecondaryIndexes", [])
        return tuple(key["AttributeName"] for key in keys), tuple(index["IndexName"] for index in indexes)

    def get(self, keys: Sequence[tuple[str, str]]) -> list[dict[str, Value]]:
        """Read those of these items, given by ``pk`` and ``sk``, that exist, consistently, a hundred per call.

        Raises:
            Unanswered: DynamoDB throttled some of them.
        """
        items: list[dict[str, Value]] = []
        for first in range(0, len(keys), _MOST_AT_ONCE):
            wanted = [_typed({"pk": pk, "sk": sk}) for pk, sk in keys[first : first + _MOST_AT_ONCE]]
            answer = self._client.batch_get_item(RequestItems={self._name: {"Keys": wanted, "ConsistentRead": True}})
            if answer.get("UnprocessedKeys"):
                raise Unanswered(f"{self._name}: {len(wanted)} items requested, not all returned")
            items += map(plain, answer["Responses"].get(self._name, []))
        return items

    def write(self, *writes: Put | Delete) -> None:
        """Write everything in one transaction, or nothing.

        Raises:
            Refused: an item is not as expected.
            Conflict: other transactions kept writing one of the items.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Conflict),
            wait=tenacity.wait_random_exponential(0.05, max=1),
            stop=tenacity.stop_after_attempt(8),
            reraise=True,
        )
        retrying(self._write, [self._action(write) for write in writes])

    def _write(self, actions: Sequence[Any]) -> None:
        try:
            if len(actions) == 1 and "Put" in actions[0]:
                self._client.put_item(**actions[0]["Put"])
            else:
                self._client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            raise _translated(error) from error

    def _action(self, write: Put | Delete) -> Any:
        if isinstance(write, Delete):
            key = _typed({"pk": write.pk, "sk": write.sk})
            return {"Delete": {"TableName": self._name, "Key": key, **_condition(write.expect)}}
        item = {"schema": SCHEMA, **write.item}
        return {"Put": {"TableName": self._name, "Item": _typed(item), **_condition(write.expect)}}


def _condition(expect: Item) -> dict[str, Any]:
    if not expect:
        return {}
    names = {f"#{number}": name for number, name in enumerate(expect)}
    present = {name: value for name, value in expect.items() if value is not None}
    values = {f":{number}": _typed({name: expect[name]})[name] for number, name in enumerate(expect) if name in present}
    terms = [
        f"#{number} = :{number}" if name in present else f"attribute_not_exists(#{number})"
        for number, name in enumerate(expect)
    ]
    condition = {"ConditionExpression": " AND ".join(terms), "ExpressionAttributeNames": names}
    return {**condition, "ExpressionAttributeValues": values} if values else condition


def _translated(error: ClientError) -> Exception:
    codes = {error.response.get("Error", {}).get("Code", "")}
    codes |= {reason.get("Code", "") for reason in error.response.get("CancellationReasons", [])}
    if codes & {"ConditionalCheckFailedException", "ConditionalCheckFailed"}:
        return Refused(str(error))
    if codes & _CONFLICTS:
        return Conflict(str(error))
    return error


def _typed(item: Item) -> dict[str, Any]:
    return {
        name: {"S": value} if isinstance(value, str) else {"N": repr(value)}
        for name, value in item.items()
        if value is not None
    }


def plain(item: Mapping[str, Any]) -> dict[str, Value]:
    """Read an item in DynamoDB's own notation."""
    return {name: value["S"] if "S" in value else _number(value["N"]) for name, value in item.items()}


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
