"""``auto-lambda grants`` and ``approve``, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from drafts import resource
from fake_credentials import set_credentials
from moto import mock_aws
from tables import create_ledger
from typer.testing import CliRunner, Result

from auto_lambda.aws.dynamodb import Table
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from auto_lambda.model import Proof
from auto_lambda_cli.app import app
from auto_lambda_cli.commands.grants import MEANINGS
from worker.consumer.messages import REDRIVE, parse_message
from worker.deploy.rights.permissions import digest
from worker.model import Release
from worker.records.ledger import FailedUpload, LiveRelease, put_failed, put_live

SHOP = App("prod", "shop")
KEY = "apps/prod/shop.zip"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:jobs"
OWN = "grants/prod/shop.json"
STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures/*"}


@dataclass
class Aws:
    s3: Any
    sqs: Any
    table: Table
    queue: str

    def grants(self, key: str = OWN) -> Grants:
        return Grants.read(self.s3.get_object(Bucket="artifacts", Key=key)["Body"].read())

    def release(self, key: str, *statements: Any) -> Any:
        policies = [{"PolicyName": "it", "PolicyDocument": {"Statement": list(statements)}}]
        template = {"Resources": {"Role": resource("IAM::Role", Policies=policies)}}
        self.s3.put_object(Bucket="artifacts", Key=key, Body=json.dumps(template).encode())
        return template

    def live(self, key: str) -> None:
        live = LiveRelease(KEY, "v1", None, None, "ab", "zappa", key, "shop-prod", "1", None, "2026-01-02T12:00:00")
        self.table.write(put_live(SHOP, live))

    def waits(self, key: str, code: str = "needs-approval") -> None:
        release = Release(key, "v2", "ab" * 32, 7, "zappa", "3.12", "x86_64", Proof(1, 2, 3))
        text = release.text() if code == "needs-approval" else None
        self.table.write(put_failed(SHOP, FailedUpload(KEY, "v2", None, code, "2026-01-02T13:00:00", None, text)))

    def sent(self) -> list[Any]:
        answer = self.sqs.receive_message(QueueUrl=self.queue, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
        return list(answer.get("Messages", []))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    set_credentials(monkeypatch)
    with mock_aws():
        s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
        for bucket in ("uploads", "artifacts"):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        create_ledger(dynamodb)
        queue = sqs.create_queue(QueueName="drops")["QueueUrl"]
        for name, value in (
            ("UPLOADS_BUCKET", "uploads"), ("ARTIFACTS_BUCKET", "artifacts"), ("QUEUE_URL", queue), ("TABLE", "ledger"),
        ):  # fmt: skip
            monkeypatch.setenv(f"AUTO_LAMBDA_{name}", value)
        yield Aws(s3, sqs, Table(dynamodb, "ledger"), queue)


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=text)


def set_(*arguments: str, text: str | None = None) -> Result:
    return run("grants", "set", *arguments, "--stage", "prod", text=text)


# ------------------------------------------------------------------------------------------------ grants


def test_one_value_is_added_and_removed_and_the_rest_stays(aws: Aws) -> None:
    done = set_("shop", "--add", f"queues={QUEUE}", "--add", "subnets=subnet-1", "--add", "quotas=functions=9")
    assert done.exit_code == 0, done.stderr
    assert f"+ queues: {QUEUE}" in done.stderr
    assert aws.grants() == Grants(queues=(QUEUE,), subnets=("subnet-1",), quotas={"functions": 9})
    done = set_("shop", "--remove", f"queues={QUEUE}", "--remove", "quotas=functions=9")
    assert f"- queues: {QUEUE}" in done.stderr
    assert aws.grants() == Grants(subnets=("subnet-1",))
    assert set_("shop", "--add", "traffic=gradual").exit_code == 0
    assert aws.grants() == Grants(subnets=("subnet-1",), traffic="gradual")


def test_a_file_is_merged_or_replaces_what_is_there(aws: Aws, tmp_path: Path) -> None:
    set_("shop", "--add", "subnets=subnet-1")
    (tmp_path / "more.json").write_text(json.dumps({"statements": [STATEMENT]}))
    assert set_("shop", "--merge", str(tmp_path / "more.json")).exit_code == 0
    assert aws.grants() == Grants(subnets=("subnet-1",), statements=(STATEMENT,))
    assert set_("shop", "--from", "-", text='{"approve": "widenings"}').exit_code == 0
    assert aws.grants() == Grants(approve="widenings")


def test_the_default_is_for_the_whole_stage_and_only_by_its_option(aws: Aws) -> None:
    assert set_("--default", "--add", "subnets=subnet-1").exit_code == 0
    assert aws.grants("grants/prod/default.json") == Grants(subnets=("subnet-1",))
    for arguments in (("default",), ("shop", "--default"), ()):
        refused = set_(*arguments, "--add", "subnets=subnet-2")
        assert refused.exit_code == 2
    assert aws.grants("grants/prod/default.json") == Grants(subnets=("subnet-1",))


@pytest.mark.parametrize(
    "arguments",
    [
        ("shop", "--add", "queue=x"),
        ("shop", "--add", "queues"),
        ("shop", "--add", "quotas=functons=9"),
        ("shop", "--add", "approve=everything"),
        ("shop", "--add", "traffic=sudden"),
        ("shop", "--add", 'statements={"Effect": "Deny", "Action": "*", "Resource": "*"}'),
        ("shop", "--from", "/nonexistent"),
        ("shop",),
        ("Not A Name", "--add", "subnets=subnet-1"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_written(aws: Aws, arguments: tuple[str, ...]) -> None:
    assert set_(*arguments).exit_code == 2
    assert "Contents" not in aws.s3.list_objects_v2(Bucket="artifacts")


def test_show_tells_what_is_granted_since_when_and_what_it_means(aws: Aws) -> None:
    assert "grants nothing" in run("grants", "show", "shop", "--stage", "prod").stdout
    set_("shop", "--add", f"queues={QUEUE}")
    set_("--default", "--add", "subnets=subnet-1")
    done = run("grants", "show", "shop", "--stage", "prod")
    for words in (OWN, QUEUE, "SQS queues", "grants/prod/default.json", "subnet-1", "version"):
        assert words in done.stdout
    told = json.loads(run("grants", "show", "shop", "--stage", "prod", "--json").stdout)
    assert told[OWN]["grants"] == {"queues": [QUEUE]}
    assert told[OWN]["version"]


NEWS = "arn:aws:sns:us-east-1:000000000000:news"


def test_check_tells_what_is_used_unused_and_refused(aws: Aws) -> None:
    assert run("grants", "check", "shop", "--stage", "prod").exit_code == 1  # it is not live
    aws.release("bundles/1.json", STATEMENT, {"Effect": "Allow", "Action": "sns:Publish", "Resource": NEWS})
    aws.live("bundles/1.json")
    set_("shop", "--add", f"statements={json.dumps(STATEMENT)}", "--add", f"queues={QUEUE}")
    done = run("grants", "check", "shop", "--stage", "prod", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["refused"] == [f"Allow sns:Publish on {NEWS}"]
    assert told["unused"] == [f"queues: {QUEUE}"]
    assert told["suggested"] == {"topics": [NEWS]}
    set_("shop", "--add", f"topics={NEWS}")
    done = run("grants", "check", "shop", "--stage", "prod")
    assert done.exit_code == 0
    assert "granted, but not used" in done.stdout


def test_every_list_has_its_meaning_here_and_in_the_reference() -> None:
    assert set(MEANINGS) == set(Grants.model_fields)
    page = (Path(__file__).parents[4] / "docs" / "reference" / "grants.md").read_text()
    assert [name for name in MEANINGS if f"`{name}`" not in page] == []


# ------------------------------------------------------------------------------------------------ approve


def approve(*options: str) -> Result:
    return run("approve", "shop", "--stage", "prod", *options)


def test_an_approval_names_who_and_the_rights_and_announces_the_upload(aws: Aws) -> None:
    aws.release("bundles/1.json", STATEMENT)
    template = aws.release("bundles/2.json", STATEMENT, {**STATEMENT, "Action": "s3:PutObject"})
    aws.live("bundles/1.json")
    aws.waits("bundles/2.json")
    done = approve("--yes")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == ["+ Allow s3:PutObject on arn:aws:s3:::pictures/*"]
    key = f"grants/prod/shop.approvals/{digest(template)}.json"
    told = json.loads(aws.s3.get_object(Bucket="artifacts", Key=key)["Body"].read())
    assert told["by"].startswith("arn:aws:sts::")
    assert len(told["permissions"]) == 2
    (message,) = aws.sent()
    (upload,) = parse_message(message["Body"], "uploads").uploads
    assert (upload.key, upload.version) == (KEY, "v2")
    assert REDRIVE in message["MessageAttributes"]


@pytest.mark.parametrize("code", ["needs-approval", "bad-config", None])
def test_nothing_is_approved_that_does_not_wait_or_is_not_confirmed(aws: Aws, code: str | None) -> None:
    aws.release("bundles/2.json", STATEMENT)
    if code:
        aws.waits("bundles/2.json", code)
    done = approve() if code == "needs-approval" else approve("--yes")
    assert done.exit_code == (2 if code == "needs-approval" else 1)
    assert aws.sent() == []
    assert not [it for it in aws.s3.list_objects_v2(Bucket="artifacts")["Contents"] if it["Key"].startswith("grants/")]


def test_a_dry_run_only_shows(aws: Aws) -> None:
    aws.release("bundles/2.json", STATEMENT)
    aws.waits("bundles/2.json")
    done = approve("--dry-run", "--json")
    assert json.loads(done.stdout)["added"] == ["Allow s3:GetObject on arn:aws:s3:::pictures/*"]
    assert aws.sent() == []
