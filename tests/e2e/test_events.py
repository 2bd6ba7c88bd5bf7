"""The functions of the `events` example are started by what should start them, through the alias ``live``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from e2e_apps import EVENTS_BUCKET, EVENTS_QUEUE
from e2e_stack import Drop, Stack, make_zip, small_chalice, until


@pytest.fixture(scope="module")
def receipt(stack: Stack, drops: dict[str, Drop]) -> dict[str, Any]:
    return stack.live(drops["events"])


@pytest.fixture
def result(stack: Stack, receipt: dict[str, Any]) -> Any:
    def wait(name: str, seconds: float = 30) -> Any:
        return until(lambda: stack.get_json(EVENTS_BUCKET, f"results/{name}.json"), seconds)

    return wait


def test_an_app_without_routes_has_no_url(receipt: dict[str, Any]) -> None:
    assert receipt["url"] is None
    assert receipt["version"] == "1"


def test_a_plain_function_answers_through_the_alias(stack: Stack, receipt: dict[str, Any]) -> None:
    assert stack.invoke(stack.function("events", "mean"), {"numbers": [1, 2, 6]}) == {"mean": 3.0}


def test_a_message_on_the_queue_is_taken(stack: Stack, result: Any) -> None:
    url = stack.sqs.get_queue_url(QueueName=EVENTS_QUEUE)["QueueUrl"]
    order = {"number": 7, "lines": [{"price": 2.5, "count": 4}, {"price": 1, "count": 1}]}
    stack.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(order))
    assert result("orders/7") == {"number": 7, "total": 11.0}


def test_an_object_in_the_bucket_is_counted(stack: Stack, result: Any) -> None:
    stack.s3.put_object(Bucket=EVENTS_BUCKET, Key="incoming/poem one.txt", Body=b"a\nb\nc\n")
    stack.s3.put_object(Bucket=EVENTS_BUCKET, Key="incoming/poem.md", Body=b"not for us")
    assert result("lines/poem one") == {"key": "incoming/poem one.txt", "lines": 3}
    assert stack.get_json(EVENTS_BUCKET, "results/lines/poem.json") is None


def test_every_trigger_names_the_alias(stack: Stack, receipt: dict[str, Any]) -> None:
    def live(name: str) -> str:
        return f":function:{stack.function('events', name)}:live"

    notifications = stack.s3.get_bucket_notification_configuration(Bucket=EVENTS_BUCKET)
    (to_function,) = notifications["LambdaFunctionConfigurations"]
    assert to_function["LambdaFunctionArn"].endswith(live("count_lines"))
    mappings = stack.lambda_.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = (one for one in mappings if one["EventSourceArn"].endswith(f":{EVENTS_QUEUE}"))
    assert mapping["FunctionArn"].endswith(live("take_order"))
    events = stack.client("events")
    rules = [rule["Name"] for rule in events.list_rules()["Rules"]]
    targets = [target["Arn"] for rule in rules for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
    assert len([arn for arn in targets if arn.endswith(live("heartbeat"))]) == 1


def test_the_schedule_comes_round(result: Any) -> None:
    beat = result("heartbeat", seconds=100)
    assert datetime.now(UTC) - datetime.fromisoformat(beat["at"]) < timedelta(minutes=10)


def test_a_queue_that_does_not_exist_or_hides_messages_for_too_short_is_refused_before_anything_is_made(
    stack: Stack,
) -> None:
    trigger = "from chalice import Chalice\napp = Chalice('x')\n@app.on_sqs_message(queue='short')\ndef work(e): pass\n"
    zipped = make_zip({**small_chalice(), "app.py": trigger})
    missing = stack.final(stack.drop("looks", zipped))
    assert missing["error"]["code"] == "bad-config"
    assert ":short does not exist" in missing["error"]["message"]
    stack.sqs.create_queue(QueueName="short")  # 30 s, and the function may run for 60
    hides = stack.final(stack.drop("looks", zipped))
    assert "@app.on_sqs_message" in hides["error"]["message"]
    assert "hides messages for 30 s" in hides["error"]["message"]
    with pytest.raises(ClientError):
        stack.client("cloudformation").describe_stacks(StackName="al-looks-dev")
