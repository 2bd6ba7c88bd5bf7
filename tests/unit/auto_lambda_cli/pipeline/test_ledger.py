from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tables import create_ledger

from auto_lambda.aws.dynamodb import SCHEMA, Delete, Put, Table, Value
from auto_lambda_cli.pipeline.ledger import migrate
from auto_lambda_cli.pipeline.ledger_schema import UnknownSchema

LIVE: dict[str, Value] = {"pk": "app#dev/shop", "sk": "live", "when": "2026-11-28", "number": 3}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        made = boto3.client("dynamodb", "us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
        create_ledger(made)
        yield made


def old(client: Any, **attributes: Any) -> None:
    """An item as version 0.2.0 wrote it, without a version of its own."""
    Table(client, "ledger").write(Put({**LIVE, "schema": None, **attributes}))


def items(client: Any) -> list[dict[str, Any]]:
    return list(Table(client, "ledger").items("app#dev/shop"))


def test_whatever_is_written_says_its_version(client: Any) -> None:
    Table(client, "ledger").write(Put(LIVE))
    Table(client, "ledger").write(Put({**LIVE, "sk": "failed"}), Delete("app#dev/shop", "journal"))
    assert [item["schema"] for item in items(client)] == [SCHEMA, SCHEMA]


def test_old_items_are_written_once_and_keep_what_they_have(client: Any) -> None:
    for number in range(30):
        old(client, sk=f"v{number:02}", extra="kept")
    assert migrate(Table(client, "ledger")) == 30
    assert all((item["schema"], item["extra"], item["number"]) == (SCHEMA, "kept", 3) for item in items(client))
    assert migrate(Table(client, "ledger")) == 0


def test_and_back_to_the_version_before(client: Any) -> None:
    old(client)
    Table(client, "ledger").write(Put({**LIVE, "sk": "failed"}))
    migrate(Table(client, "ledger"))
    assert migrate(Table(client, "ledger"), SCHEMA - 1) == 2
    assert [item.get("schema") for item in items(client)] == [None, None]
    assert migrate(Table(client, "ledger"), SCHEMA - 1) == 0


def test_what_a_worker_writes_meanwhile_is_not_overwritten(client: Any) -> None:
    class Busy(Table):
        """A worker changes the item between the reading and the writing of it."""

        def write(self, *writes: Put | Delete) -> None:
            Table(client, "ledger").write(Put({**LIVE, "when": "later"}))
            super().write(*writes)

    old(client)
    assert migrate(Busy(client, "ledger")) == 0
    assert [(item["when"], item["schema"]) for item in items(client)] == [("later", SCHEMA)]


def test_an_item_of_a_newer_version_is_not_touched(client: Any) -> None:
    old(client, schema=SCHEMA + 5)
    with pytest.raises(UnknownSchema):
        migrate(Table(client, "ledger"))
    assert items(client)[0]["schema"] == SCHEMA + 5
