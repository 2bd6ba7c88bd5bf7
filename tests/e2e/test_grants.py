"""Apps reach what is theirs and what is granted; what is refused or waits for an approval has changed nothing."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError
from e2e_apps import EVENTS_BUCKET, EVENTS_QUEUE
from e2e_stack import AUTO_LAMBDA, Drop, Stack, example, make_zip, saying, small_chalice, small_zappa, until

PICTURES = "arn:aws:s3:::pictures/*"
READ = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": PICTURES}
LIST = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::pictures"}


@pytest.fixture
def stack(granted_stack: Stack) -> Stack:
    return granted_stack


def zappa(word: str, *statements: Any) -> bytes:
    return make_zip(saying(word, small_zappa(extra_permissions=list(statements))))


def in_aws(stack: Stack, name: str) -> bool:
    try:
        stack.client("cloudformation").describe_stacks(StackName=f"al-{name}-dev")
    except ClientError:
        return False
    return True


def cli(stack: Stack, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [AUTO_LAMBDA, *arguments],
        env=stack.environ,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(stack: Stack, drop: Drop, code: str) -> dict[str, Any]:
    receipt = stack.final(drop)
    assert receipt["status"] == "failed", stack.log(drop)
    assert receipt["error"]["code"] == code, receipt["error"]
    return receipt


@pytest.mark.parametrize("files", [small_chalice(), small_zappa()], ids=["chalice", "zappa"])
def test_an_app_that_needs_nothing_of_others_needs_no_grant(stack: Stack, files: Any) -> None:
    name = "modest-zappa" if "zappa_settings.json" in files else "modest-chalice"
    receipt = stack.live(stack.drop(name, make_zip(files)))
    assert receipt["permissions"]["rights"] == "granted"
    assert receipt["permissions"]["has"]
    assert not any(line.endswith(" on *") and "xray" not in line for line in receipt["permissions"]["has"])
    assert stack.http(receipt["url"]).status == 200


def test_what_is_refused_changed_nothing_and_the_pasted_grant_lets_it_pass(stack: Stack) -> None:
    receipt = refused(stack, stack.drop("reader", zappa("one", READ)), "rights-not-granted")
    assert f"Allow s3:GetObject on {PICTURES}" in receipt["error"]["message"]
    assert receipt["permissions"]["added"]
    assert not in_aws(stack, "reader")

    hint = receipt["error"]["hint"]
    done = cli(stack, "grants", "set", "reader", "--merge", "-", text=hint[hint.index("{") :])
    assert done.returncode == 0, done.stderr
    receipt = stack.live(stack.drop("reader", zappa("one", READ)))
    assert f"Allow s3:GetObject on {PICTURES}" in receipt["permissions"]["has"]

    refused(stack, stack.drop("reader", zappa("two", READ, LIST)), "rights-not-granted")
    assert stack.http(receipt["url"]).text == "one"
    checked = cli(stack, "grants", "check", "reader", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["unused"] == []


def test_an_honest_example_passes_with_the_grants_that_its_refusal_prints(stack: Stack) -> None:
    """Its policy names a queue and a bucket of others, its decorators have events of them."""
    stack.s3.create_bucket(Bucket=EVENTS_BUCKET)
    queue = stack.sqs.create_queue(QueueName=EVENTS_QUEUE)["QueueUrl"]
    arn = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sources = ("--add", f"queues={arn}", "--add", f"buckets={EVENTS_BUCKET}")
    assert cli(stack, "grants", "set", "events", *sources).returncode == 0
    receipt = refused(stack, stack.drop("events", example("events")), "rights-not-granted")
    hint = receipt["error"]["hint"]
    assert cli(stack, "grants", "set", "events", "--merge", "-", text=hint[hint.index("{") :]).returncode == 0
    receipt = stack.live(stack.drop("events", example("events")))
    assert "Allow s3:PutObject on arn:aws:s3:::events-example/results/*" in receipt["permissions"]["has"]
    assert not [line for line in receipt["permissions"]["has"] if ":logs:*" in line]


def test_a_widening_waits_for_its_approval_and_goes_on_without_a_drop(stack: Stack) -> None:
    granted = json.dumps({"statements": [READ, LIST], "approve": "widenings"})
    receipt = stack.live(stack.drop("careful", zappa("one")))
    assert cli(stack, "grants", "set", "careful", "--from", "-", text=granted).returncode == 0

    assert cli(stack, "approve", "careful", "--yes").returncode == 1  # nothing waits yet
    drop = stack.drop("careful", zappa("two", READ))
    waiting = refused(stack, drop, "needs-approval")
    assert waiting["permissions"]["added"] == [f"Allow s3:GetObject on {PICTURES}"]
    assert stack.http(receipt["url"]).text == "one"

    done = cli(stack, "approve", "careful", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"+ Allow s3:GetObject on {PICTURES}" in done.stdout
    until(lambda: stack.receipt(drop)["status"] == "live", 60, lambda: stack.log(drop))
    assert stack.http(receipt["url"]).text == "two"
    assert "approved by arn:aws:" in stack.log(drop)
    assert "build" not in json.loads(cli(stack, "status", "--history", "careful", "--json").stdout)[0]["timings"]

    # The approval is for these rights and no more; the same and fewer need none.
    refused(stack, stack.drop("careful", zappa("three", READ, LIST)), "needs-approval")
    stack.live(stack.drop("careful", zappa("four")))
    stack.live(stack.drop("careful", zappa("five", READ)))


def test_a_mistake_in_a_grants_file_is_the_platform_teams_and_not_the_uploaders(stack: Stack) -> None:
    artifacts, key = stack.ready["artifacts"], "grants/dev/typo.json"
    assert cli(stack, "grants", "set", "typo", "--merge", "-", text='{"queue": []}').returncode == 2
    stack.s3.put_object(Bucket=artifacts, Key=key, Body=b'{"queue": []}')
    drop = stack.drop("typo", zappa("one"))
    receipt = until(lambda: _delayed(stack.receipt(drop)), 60, lambda: stack.log(drop))
    assert key in receipt["error"]["message"]
    assert not in_aws(stack, "typo")
    stack.s3.delete_object(Bucket=artifacts, Key=key)
    stack.live(drop)


def _delayed(receipt: Any) -> Any:
    return receipt if receipt and receipt["status"] == "delayed" else None
