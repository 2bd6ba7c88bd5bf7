"""The program of docs/how-to/restore-the-ledger.md, run as the page says."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pipeline_template import REPOSITORY, read_template

PAGE = (REPOSITORY / "docs/how-to/restore-the-ledger.md").read_text()
LEDGER, RESTORED, MANY = "the-ledger", "ledger-restored", 250
Items = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        properties = read_template()["Resources"]["LedgerTable"]["Properties"]
        wanted = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
        dynamodb.create_table(TableName=LEDGER, **{name: properties[name] for name in wanted})
        for number in range(MANY):
            put(dynamodb, f"app#dev/{number}", "x" * 8_000)  # more than a page of a scan holds
        yield dynamodb


def put(client: Any, pk: str, content: str) -> None:
    client.put_item(TableName=LEDGER, Item={"pk": {"S": pk}, "sk": {"S": "live"}, "content": {"S": content}})


def items(client: Any, table: str) -> Items:
    pages = client.get_paginator("scan").paginate(TableName=table)
    return {(it["pk"]["S"], it["sk"]["S"]): it for page in pages for it in page["Items"]}


def run_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    file = folder / "copy_ledger.py"
    file.write_text(program)
    monkeypatch.setattr(sys, "argv", [str(file), RESTORED, LEDGER])
    runpy.run_path(str(file), run_name="__main__")


def test_what_was_lost_or_changed_is_as_it_was(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = items(client, LEDGER)
    client.restore_table_to_point_in_time(
        SourceTableName=LEDGER, TargetTableName=RESTORED, UseLatestRestorableTime=True
    )
    for pk, sk in list(before)[: MANY // 2]:
        client.delete_item(TableName=LEDGER, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    put(client, f"app#dev/{MANY - 1}", "wrong")
    put(client, "app#dev/newer", "stays")
    run_program(tmp_path, monkeypatch)
    after = items(client, LEDGER)
    assert after.pop(("app#dev/newer", "live"))["content"] == {"S": "stays"}
    assert after == before


def test_the_page_sets_again_what_a_restored_table_lacks() -> None:
    properties = read_template()["Resources"]["LedgerTable"]["Properties"]
    attribute = properties["TimeToLiveSpecification"]["AttributeName"]
    assert f"Enabled=true,AttributeName={attribute}" in PAGE
    recovery = properties["PointInTimeRecoverySpecification"]
    assert recovery == {"PointInTimeRecoveryEnabled": True}
    assert "PointInTimeRecoveryEnabled=true" in PAGE
