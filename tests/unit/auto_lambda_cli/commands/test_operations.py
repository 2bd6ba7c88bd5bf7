"""The commands for who runs the pipeline, against moto: ``status --history``, ``redrive``, ``reconcile``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from fake_credentials import set_credentials
from moto import mock_aws
from rich.console import Console
from tables import create_ledger
from typer.testing import CliRunner, Result

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.sqs import Depth
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt
from auto_lambda_cli.app import app
from auto_lambda_cli.progress import view as progress
from auto_lambda_cli.progress.snapshot import Running, Snapshot, Told
from auto_lambda_cli.progress.watch import view
from worker.consumer.messages import parse_message
from worker.model import Upload
from worker.records.ledger import Ledger, LiveRelease, put_live

BUCKET, SHOP = "uploads", App("dev", "shop")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass
class Aws:
    """The pipeline's parts in moto, as its commands are told of them."""

    s3: Any
    sqs: Any
    table: Table
    queue: str
    dead_letters: str

    def put_aside(self, key: str, **attributes: str) -> None:
        told = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        self.sqs.send_message(QueueUrl=self.dead_letters, MessageBody=announcement(key), MessageAttributes=told)

    def waiting(self, queue: str) -> int:
        """Messages that a worker would get now."""
        asked = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])

    def received(self) -> list[Any]:
        answer = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        )
        return list(answer.get("Messages", []))


def announcement(key: str) -> str:
    item = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    return json.dumps({"Records": [item]})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    for name in ("AWS_ENDPOINT_URL", "AUTO_LAMBDA_UNDEPLOY_ON_DELETE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    set_credentials(monkeypatch)
    with mock_aws():
        s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        create_ledger(dynamodb)
        queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("drops", "dead"))
        monkeypatch.setenv("AUTO_LAMBDA_UPLOADS_BUCKET", BUCKET)
        monkeypatch.setenv("AUTO_LAMBDA_QUEUE_URL", queue)
        monkeypatch.setenv("AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL", dead)
        monkeypatch.setenv("AUTO_LAMBDA_TABLE", "ledger")
        yield Aws(s3, sqs, Table(dynamodb, "ledger"), queue, dead)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


# ------------------------------------------------------------------------------------------------ status --history


def attempted(aws: Aws) -> None:
    """One attempt that was cut short, one that failed, one that went live."""
    ledger = Ledger(aws.table)
    began = Attempt("apps/dev/shop.zip", "v1", "worker-1", 1, NOON)
    aws.table.write(began.put(SHOP, 1))
    failed = replace(
        began, number=2, worker="worker-2", started=NOON + timedelta(seconds=600), ended=NOON + timedelta(seconds=609),
        outcome="failed", step="compile", code="bad-config", timings={"fetch": 1.0, "compile": 8.0},
    )  # fmt: skip
    aws.table.write(failed.put(SHOP, 2))
    live = replace(
        failed, object_version="v2", number=1, started=NOON + timedelta(minutes=20), outcome="live", step="verify",
        code=None, function_version="1", template_key="bundles/1.json", timings={"deploy": 20.5},
    )  # fmt: skip
    aws.table.write(live.put(SHOP, 3))
    assert len(ledger.history(SHOP, 9)) == 3


def test_the_history_shows_every_attempt_the_newest_first(aws: Aws) -> None:
    attempted(aws)
    done = run("status", "--history", "shop")
    heading, live, failed, cut_short = done.stdout.splitlines()
    assert (done.exit_code, heading.split()[0]) == (0, "started")
    for line, words in (
        (live, ("2026-01-02 12:20:00", "live", "v2", "verify", "20.5 s", "worker-2")),
        (failed, ("12:10:00", "failed", "bad-config", "v1", "compile", "9.0 s", "worker-2")),
        (cut_short, ("12:00:00", "interrupted or running", "v1", "worker-1")),
    ):
        assert [word for word in words if word not in line] == []


def test_the_history_as_json_has_version_timings_outcome_and_worker(aws: Aws) -> None:
    attempted(aws)
    told = json.loads(run("status", "--history", "shop", "--stage", "dev", "--json").stdout)
    assert [(it["object_version"], it["outcome"], it["worker"], it["timings"]) for it in told] == [
        ("v2", "live", "worker-2", {"deploy": 20.5}),
        ("v1", "failed", "worker-2", {"fetch": 1.0, "compile": 8.0}),
        ("v1", None, "worker-1", {}),
    ]


def test_an_app_without_a_history(aws: Aws) -> None:
    done = run("status", "--history", "shop", "--stage", "prod")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no attempt to deploy prod/shop" in done.stderr


@pytest.mark.parametrize("arguments", [["--history", "Not A Name"], ["--history", "shop", "--stage", "UP"]])
def test_a_history_of_no_app_is_wrong_usage(aws: Aws, arguments: list[str]) -> None:
    assert run("status", *arguments).exit_code == 2


def test_without_a_table_one_is_told_which_setting_is_missing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTO_LAMBDA_TABLE")
    done = run("status", "--history", "shop")
    assert done.exit_code == 2
    assert "AUTO_LAMBDA_TABLE" in done.stderr


# --------------------------------------------------------------------------------------------------------- redrive


@pytest.fixture
def put_aside(aws: Aws) -> Aws:
    """A zip that has ended workers, with its log, and one of another app that the queue has given up."""
    lines = b"\n".join(b"line %d" % number for number in range(9))
    aws.s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.log", Body=lines)
    aws.put_aside("apps/dev/shop.zip", code="ends-workers", reason="it has crashed 3 worker processes", attempts="4")
    aws.put_aside("apps/prod/blog.zip")
    return aws


def test_a_dry_run_shows_class_last_lines_and_count_and_leaves_all_there(put_aside: Aws) -> None:
    done = run("redrive", "--dry-run")
    assert done.exit_code == 0
    assert "dev/shop: ends-workers, tried 4 times" in done.stdout
    for line in ("it has crashed 3 worker processes", *(f"line {number}" for number in range(4, 9))):
        assert f"    {line}\n" in done.stdout
    assert "line 3" not in done.stdout
    assert "prod/blog: tried-too-often" in done.stdout
    assert "2 messages in the dead-letter queue, 0 sent back" in done.stderr
    assert (put_aside.waiting(put_aside.queue), put_aside.waiting(put_aside.dead_letters)) == (0, 2)


def test_redrive_sends_everything_back_to_be_tried_anew(put_aside: Aws) -> None:
    done = run("redrive", "--json")
    told = json.loads(done.stdout)
    assert {(tuple(it["apps"]), it["class"], it["sent_back"]) for it in told} == {
        (("dev/shop",), "ends-workers", True),
        (("prod/blog",), "tried-too-often", True),
    }
    assert put_aside.waiting(put_aside.dead_letters) == 0
    back = put_aside.received()
    assert {parse_message(it["Body"], BUCKET).uploads[0].key for it in back} == {
        "apps/dev/shop.zip",
        "apps/prod/blog.zip",
    }
    assert all("redrive" in it["MessageAttributes"] for it in back)
    assert not any("attempts" in it["MessageAttributes"] for it in back), "it is tried as often as a new one"


@pytest.mark.parametrize("name", ["shop", "dev/shop"])
def test_redrive_of_one_app_leaves_the_others_where_they_are(put_aside: Aws, name: str) -> None:
    told = json.loads(run("redrive", "--app", name, "--json").stdout)
    assert [it["apps"] for it in told] == [["dev/shop"]]
    assert len(put_aside.received()) == 1
    assert put_aside.waiting(put_aside.dead_letters) == 1


@pytest.mark.parametrize("command", ["reconcile", "redrive"])
@pytest.mark.parametrize("region", ["us-east-1", None])
def test_the_region_may_be_named_by_aws_region_alone(
    aws: Aws, command: str, region: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    if region:
        monkeypatch.setenv("AWS_REGION", region)
    done = run(command, "--dry-run")
    assert done.exit_code == (0 if region else 2), done.stderr
    assert ("AWS_REGION" in done.stderr) is (region is None)


def test_nothing_put_aside(aws: Aws) -> None:
    done = run("redrive")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "0 messages in the dead-letter queue" in done.stderr


# ------------------------------------------------------------------------------------------------------- reconcile


def test_reconcile_announces_what_was_missed_as_s3_would_have_done(aws: Aws) -> None:
    version = aws.s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.zip", Body=b"zip")["VersionId"]
    dry = run("reconcile", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "apps/dev/shop.zip\n")
    assert "1 upload never announced" in dry.stderr
    assert aws.waiting(aws.queue) == 0
    done = run("reconcile", "--json")
    assert json.loads(done.stdout) == ["apps/dev/shop.zip"]
    (message,) = aws.received()
    assert parse_message(message["Body"], BUCKET).uploads == (
        Upload(SHOP, BUCKET, "apps/dev/shop.zip", version, None, 3),
    )  # fmt: skip


def test_reconcile_finds_nothing_where_all_is_live(aws: Aws) -> None:
    version = aws.s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.zip", Body=b"zip")["VersionId"]
    aws.table.write(put_live(SHOP, live(version)))
    done = run("reconcile")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "every upload has been announced" in done.stderr


@pytest.mark.parametrize("told_by", ["option", "environment"])
def test_reconcile_finds_deleted_zips_where_they_count(aws: Aws, told_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.table.write(put_live(SHOP, live("v1")))
    aws.s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=b"{}")
    assert json.loads(run("reconcile", "--json").stdout) == []
    if told_by == "environment":
        monkeypatch.setenv("AUTO_LAMBDA_UNDEPLOY_ON_DELETE", "true")
    asked = ["--deleted"] if told_by == "option" else []
    assert json.loads(run("reconcile", "--dry-run", "--json", *asked).stdout) == ["apps/dev/shop.zip"]
    assert aws.waiting(aws.queue) == 0
    assert json.loads(run("reconcile", "--json", *asked).stdout) == ["apps/dev/shop.zip"]
    (message,) = aws.received()
    (upload,) = parse_message(message["Body"], BUCKET, removals=True).uploads
    assert (upload.key, upload.removed) == ("apps/dev/shop.zip", True)
    assert parse_message(message["Body"], BUCKET).uploads == (), "another pipeline's workers pass it over"


def live(version: str) -> LiveRelease:
    return LiveRelease(
        "apps/dev/shop.zip", version, None, None, "ab", "chalice", "b/1.json", "shop-dev", "1", None, "now"
    )


# ---------------------------------------------------------------------------------- what an uploader may have written

HOSTILE = "x\x1b]0;pwned\x07\x1b[2K\x1b[31mvic  dev live\nvic  dev  live\r\u202e\x9b31m[red]"
"""A title, colours, a line of its own, a text that runs backwards, markup."""


@pytest.fixture
def hostile(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """A pipeline in which everything that an uploader may write is hostile."""
    ledger = Ledger(aws.table)
    error = {"code": "bad-config", "message": HOSTILE, "hint": HOSTILE}
    told = {
        "schema": 1, "app": "shop", "stage": "dev", "status": "failed", "step": HOSTILE, "url": HOSTILE, "error": error,
        "warnings": [HOSTILE], "function": HOSTILE, "version": HOSTILE, "worker": HOSTILE,
        "updated": "2026-01-02T03:04:05.678+00:00", "upload": {"key": "apps/dev/shop.zip", "version": "v1"},
        "permissions": {"has": [HOSTILE], "changes": [HOSTILE], "since": None}, "serving": {"object_version": HOSTILE},
    }  # fmt: skip
    for key, changes in (
        ("apps/dev/shop", {}),
        ("apps/dev/late", {"app": "late", "status": "delayed"}),
        (f"apps/{HOSTILE}", {"app": None, "stage": None}),
        ("apps/" + "n" * 900, {"app": None, "stage": None}),
    ):
        aws.s3.put_object(Bucket=BUCKET, Key=f"{key}.zip", Body=b"zip")
        aws.s3.put_object(Bucket=BUCKET, Key=f"{key}.receipt.json", Body=json.dumps({**told, **changes}).encode())
        aws.s3.put_object(Bucket=BUCKET, Key=f"{key}.log", Body=HOSTILE.encode())
    aws.s3.put_object(Bucket=BUCKET, Key=f"apps/dev/no-{HOSTILE}.zip", Body=b"zip")
    aws.put_aside(f"apps/{quote(HOSTILE)}.zip", code="ends-workers", reason="crashed", attempts="4")
    aws.put_aside("apps/dev/shop.zip", code="ends-workers", reason="crashed", attempts="4")
    attempt = Attempt("apps/dev/shop.zip", "v1", "worker", 1, NOON, step=HOSTILE, rollback=HOSTILE)
    aws.table.write(attempt.put(SHOP, 1))
    assert ledger.history(SHOP, 9)
    follow = __import__("auto_lambda.drops", fromlist=["follow"]).follow
    monkeypatch.setitem(follow.__kwdefaults__, "sleep", lambda _: None)
    removals = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:drops", "Events": ["s3:ObjectRemoved:*"]}
    aws.s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [removals]}
    )
    return aws


COMMANDS = [
    ["status"], ["status", "--json"], ["status", "--history", "shop"], ["status", "--history", "shop", "--json"],
    ["logs", "shop"], ["redrive", "--dry-run"], ["redrive", "--dry-run", "--json"], ["reconcile", "--dry-run"],
    ["reconcile", "--dry-run", "--json"], ["rollback", "shop", "--dry-run"], ["undeploy", "shop", "--dry-run"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_what_commands_a_terminal(hostile: Aws, command: list[str]) -> None:
    done = run(*command)
    printed = done.stdout + done.stderr
    assert "shop" in printed or "vic" in printed
    assert [character for character in "\x1b\x07\x9b\r\u202e" if character in printed] == []
    if command[0] != "logs":
        assert not any(line.startswith("vic") for line in printed.splitlines())


def test_a_long_key_does_not_widen_the_table_for_everybody(hostile: Aws) -> None:
    lines = run("status").stdout.splitlines()
    (long,) = (line for line in lines if "nnn" in line)
    assert "apps/nnn" in long
    assert "nnn.zip" in long
    assert all(line.find("failed") < 200 for line in lines)


def test_the_followed_drop_and_the_live_table_are_clean_too(hostile: Aws) -> None:
    receipt = Receipt.from_json(
        {"status": "delayed", "step": HOSTILE, "error": {"code": "c", "message": HOSTILE, "hint": ""}}
    )
    at = datetime(2026, 1, 2, tzinfo=UTC)
    seen = Snapshot(
        at,
        Depth(0, 0, 0),
        None,
        None,
        (Running(HOSTILE, HOSTILE, 1.0, HOSTILE),),
        (Told(HOSTILE, "live", at, HOSTILE),),
    )
    console = Console(width=300, record=True, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(view("title", seen, HOSTILE, 300))
    printed = progress.words(receipt) + console.export_text()
    assert printed.count("vic") >= 6
    assert [character for character in "\x1b\x07\x9b\r\u202e" if character in printed] == []
    assert "\nvic" not in printed


@pytest.mark.parametrize("status", ["live", "failed", "superseded"])
def test_what_became_of_a_drop_is_told_cleanly(hostile: Aws, status: str, tmp_path: Path) -> None:
    """By a worker that is done at once, with a receipt that is hostile in each field."""
    (tmp_path / "app.py").write_text("app = 1\n")
    stored = json.loads(hostile.s3.get_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json")["Body"].read())
    follow = __import__("auto_lambda.drops", fromlist=["follow"]).follow

    def work(_: float) -> None:
        version = hostile.s3.head_object(Bucket=BUCKET, Key="apps/dev/shop.zip")["VersionId"]
        told = {**stored, "status": status, "upload": {"key": "apps/dev/shop.zip", "version": version}}
        hostile.s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(told).encode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(follow.__kwdefaults__, "sleep", work)
        done = run("deploy", str(tmp_path), "--name", "shop")
    printed = done.stdout + done.stderr
    assert "vic" in printed
    assert [character for character in "\x1b\x07\x9b\r\u202e" if character in printed] == []
