"""Recent attempts through the index of the ledger, as the worker writes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from tables import create_ledger

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Table
from auto_lambda.keys import App
from auto_lambda.recent_attempts import LedgerUnusable, RecentAttempts

STARTED = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        made = boto3.client("dynamodb", region_name="eu-west-1")
        create_ledger(made)
        yield made


def test_what_the_worker_writes_is_read(client: Any) -> None:
    app = App("dev", "shop")
    done = Attempt("apps/dev/shop.zip", "v1", "w", 2, STARTED, STARTED, STARTED + timedelta(seconds=30), "live")
    running = Attempt("apps/dev/shop.zip", "v2", "w", 1, STARTED + timedelta(minutes=1))
    Table(client, "ledger").write(done.put(app, 1))
    Table(client, "ledger").write(running.put(app, 2))
    newest, older = RecentAttempts(client, "ledger").newest(10)
    assert (newest.subject, newest.ended, newest.outcome, newest.sent) == ("apps/dev/shop.zip@v2", None, None, None)
    assert older.started == older.sent == STARTED
    assert (older.number, older.outcome) == (2, "live")
    assert RecentAttempts(client, "ledger").newest(1) == [newest]


def test_a_table_that_is_not_there_or_no_ledger_is_told(client: Any) -> None:
    client.create_table(
        TableName="other",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    with pytest.raises(LedgerUnusable, match="typo cannot be used: there is no such table"):
        RecentAttempts(client, "typo").newest(1)
    with pytest.raises(LedgerUnusable, match=r"other cannot be used: .*no index `recent`"):
        RecentAttempts(client, "other").newest(1)


@pytest.mark.parametrize(("code", "kind"), [("AccessDeniedException", LedgerUnusable), ("Throttling", ClientError)])
def test_only_what_waiting_does_not_help_is_told_so(code: str, kind: type[Exception]) -> None:
    class Client:
        def query(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "Query")

    with pytest.raises(kind):
        RecentAttempts(Client(), "ledger").newest(1)  # type: ignore[arg-type]


def test_attempts_since_a_moment_come_in_order_over_all_pages(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table, day = Table(client, "ledger"), datetime(2026, 1, 2, tzinfo=UTC)
    for hour in range(5):
        started = day.replace(hour=hour)
        table.write(Attempt("apps/dev/shop.zip", f"v{hour}", "w", 1, started).put(App("dev", "shop"), hour))
    client.meta.events.register("provide-client-params.dynamodb.Query", lambda params, **_: {**params, "Limit": 2})
    found = RecentAttempts(client, "ledger").since(day.replace(hour=1))
    assert [attempt.started.hour for attempt in found] == [1, 2, 3, 4]


def test_attempts_since_a_moment_of_no_ledger_are_refused(client: Any) -> None:
    with pytest.raises(LedgerUnusable, match="no such table"):
        list(RecentAttempts(client, "typo").since(datetime(2026, 1, 2, tzinfo=UTC)))
