"""Tables for the ledger: one in memory, with the calls that the ledger makes, and the template's own on an emulator."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pipeline_template import read_template

from auto_lambda.aws.dynamodb import Delete, Item, Put, Refused, Table, Value

_SCHEMA = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def create_ledger(client: Any, name: str = "ledger") -> None:
    """Make the table as infra/core.yaml has it; ``client`` is DynamoDB's."""
    client.create_table(TableName=name, **_schema())


@cache
def _schema() -> dict[str, Any]:
    resources = read_template()["Resources"]
    (table,) = (it["Properties"] for it in resources.values() if it["Type"] == "AWS::DynamoDB::Table")
    return {name: table[name] for name in _SCHEMA}


@dataclass
class FakeTable(Table):
    """Keeps its items in memory."""

    items_: dict[tuple[str, str], dict[str, Value]] = field(default_factory=dict)
    writes: list[Item] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def items(self, pk: str, *, newest: int | None = None) -> Iterator[dict[str, Value]]:
        found = sorted((key, item) for key, item in self.items_.items() if key[0] == pk)
        if newest is not None:
            found = found[::-1][:newest]
        return iter([dict(item) for _, item in found])

    def others(self, prefix: str) -> Iterator[dict[str, Value]]:
        return iter([dict(item) for (pk, _), item in sorted(self.items_.items()) if not pk.startswith(prefix)])

    def get(self, keys: Sequence[tuple[str, str]]) -> list[dict[str, Value]]:
        return [dict(self.items_[key]) for key in keys if key in self.items_]

    def write(self, *writes: Put | Delete) -> None:
        with self.lock:
            for write in writes:
                key = _key(write.item) if isinstance(write, Put) else (write.pk, write.sk)
                there = self.items_.get(key, {})
                if any(there.get(name) != value for name, value in write.expect.items()):
                    raise Refused(str(write))
            for write in writes:
                if isinstance(write, Delete):
                    self.items_.pop((write.pk, write.sk), None)
                else:
                    stored: dict[str, Value] = {name: value for name, value in write.item.items() if value is not None}
                    self.items_[_key(write.item)] = stored
                    self.writes.append(stored)


def _key(item: Item) -> tuple[str, str]:
    return str(item["pk"]), str(item["sk"])
