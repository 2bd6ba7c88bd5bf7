"""A zip that is deleted takes its app out of AWS, and an earlier version of it can be brought back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from e2e_stack import Drop, LocalUp, Stack, make_zip, saying, small_zappa, until


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: in the shared one, an app stays where it is when its zip is deleted."""
    up = LocalUp(tmp_path_factory.mktemp("undeploy"), "--undeploy-on-delete", AUTO_LAMBDA_COLLECT_AFTER_MINUTES="0")
    try:
        yield up.ready()
    finally:
        up.end()


def in_aws(stack: Stack, name: str, function: str) -> list[str]:
    """What of an app there is: its stack, its function."""
    cloudformation = stack.client("cloudformation")
    asked: dict[str, Callable[[], object]] = {
        "stack": lambda: cloudformation.describe_stacks(StackName=f"al-{name}-dev"),
        "function": lambda: stack.lambda_.get_function(FunctionName=function),
    }
    return [kind for kind, ask in asked.items() if answers(ask)]


def answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ClientError:
        return False
    return True


def live(stack: Stack, name: str) -> dict[str, Any]:
    receipt = stack.live(stack.drop(name, make_zip(saying("here"))))
    assert in_aws(stack, name, receipt["function"]) == ["stack", "function"]
    return receipt


def test_undeploy_follows_until_the_app_is_gone_and_rollback_brings_it_back(stack: Stack) -> None:
    receipt = live(stack, "going")
    done = stack.cli("undeploy", "going", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    gone = json.loads(done.stdout)
    assert (gone["status"], gone["serving"]) == ("superseded", None)
    assert in_aws(stack, "going", receipt["function"]) == []
    assert stack.http(receipt["url"]).status in {403, 404}
    assert stack.cli("undeploy", "going", "--yes").returncode == 2

    done = stack.cli("rollback", "going", "--to", receipt["upload"]["version"], "--json")
    assert done.returncode == 0, done.stderr
    back = json.loads(done.stdout)
    assert stack.http(back["url"]).json == {"word": "here"}
    assert "build" not in back["timings"]


def test_a_zip_deleted_by_any_client_takes_its_app_along(stack: Stack) -> None:
    receipt = live(stack, "deleted")
    stack.s3.delete_object(Bucket=stack.bucket, Key="apps/deleted.zip")
    zip_ = Drop("apps/deleted.zip", "")
    until(
        lambda: stack.receipt(zip_)["status"] == "superseded", 60, lambda: f"{stack.receipt(zip_)}\n{stack.log(zip_)}"
    )
    assert in_aws(stack, "deleted", receipt["function"]) == []


def test_whatever_becomes_the_newest_version_goes_live(stack: Stack) -> None:
    first = stack.drop("versions", make_zip(saying("one")))
    stack.live(first)
    second = stack.drop("versions", make_zip(saying("two")))
    url = stack.live(second)["url"]
    stack.s3.delete_object(Bucket=stack.bucket, Key=first.key, VersionId=second.version)
    assert stack.live(first)["url"] == url
    assert stack.http(url).json == {"word": "one"}

    marker = stack.s3.delete_object(Bucket=stack.bucket, Key=first.key)["VersionId"]
    until(lambda: stack.receipt(first)["status"] == "superseded", 60)
    stack.s3.delete_object(Bucket=stack.bucket, Key=first.key, VersionId=marker)
    assert stack.http(stack.live(first)["url"]).json == {"word": "one"}


WITH_ALL_TRIGGERS = """
from chalice import Chalice, Rate
app = Chalice(app_name="leaving")
@app.route("/")
def index():
    return {"word": "WORD"}
@app.schedule(Rate(1, unit=Rate.HOURS))
def tick(event):
    pass
@app.on_sqs_message(queue="leaving-orders")
def order(event):
    pass
@app.on_sns_message(topic="leaving-news")
def news(event):
    pass
@app.on_s3_event(bucket="leaving-pictures", events=["s3:ObjectCreated:*"])
def picture(event):
    pass
"""
LISTINGS = {
    "stacks": ("cloudformation", "describe_stacks", "Stacks", "StackName"),
    "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
    "layers": ("lambda", "list_layers", "Layers", "LayerName"),
    "event sources": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    "roles": ("iam", "list_roles", "Roles", "RoleName"),
    "policies": ("iam", "list_policies", "Policies", "PolicyName"),
    "REST APIs": ("apigateway", "get_rest_apis", "items", "id"),
    "HTTP APIs": ("apigatewayv2", "get_apis", "Items", "ApiId"),
    "API keys": ("apigateway", "get_api_keys", "items", "id"),
    "usage plans": ("apigateway", "get_usage_plans", "items", "id"),
    "rules": ("events", "list_rules", "Rules", "Name"),
    "schedules": ("scheduler", "list_schedules", "Schedules", "Name"),
    "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "queues": ("sqs", "list_queues", "QueueUrls", None),
    "topics": ("sns", "list_topics", "Topics", "TopicArn"),
    "subscriptions": ("sns", "list_subscriptions", "Subscriptions", "Endpoint"),
    "tables": ("dynamodb", "list_tables", "TableNames", None),
    "buckets": ("s3", "list_buckets", "Buckets", "Name"),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "secrets": ("secretsmanager", "list_secrets", "SecretList", "Name"),
    "parameters": ("ssm", "describe_parameters", "Parameters", "Name"),
}


def inventory(stack: Stack) -> dict[str, set[str]]:
    """What every service has, by name."""
    found: dict[str, set[str]] = {}
    for kind, (service, operation, key, name) in LISTINGS.items():
        client = stack.client(service)
        pages = (
            client.get_paginator(operation).paginate()
            if client.can_paginate(operation)
            else [getattr(client, operation)()]
        )
        found[kind] = {str(item[name] if name else item) for page in pages for item in page.get(key, [])}
    found["notifications"] = {
        item["LambdaFunctionArn"]
        for bucket in found["buckets"]
        for item in stack.s3.get_bucket_notification_configuration(Bucket=bucket).get(
            "LambdaFunctionConfigurations", []
        )
    }
    return found


def ledger_items(stack: Stack, app: str) -> set[str]:
    """The kinds of items that the ledger has of an app."""
    items = stack.client("dynamodb").scan(TableName=stack.ready["table"], ConsistentRead=True)["Items"]
    texts = [(item["pk"]["S"], item["sk"]["S"]) for item in items]
    return {sk if pk == f"app#dev/{app}" else pk.partition("#")[0] for pk, sk in texts if f"dev/{app}" in f"{pk} {sk}"}


def test_nothing_of_an_app_outlives_it_but_what_is_documented(stack: Stack) -> None:
    stack.client("sqs").create_queue(QueueName="leaving-orders", Attributes={"VisibilityTimeout": "360"})
    stack.client("sns").create_topic(Name="leaving-news")
    stack.s3.create_bucket(Bucket="leaving-pictures")
    before = inventory(stack)
    for word in ("one", "two"):
        files = {**saying(word), "app.py": WITH_ALL_TRIGGERS.replace("WORD", word), "requirements.txt": "iniconfig\n"}
        receipt = stack.live(stack.drop("leaving", make_zip(files)))
    assert stack.http(receipt["url"]).json == {"word": "two"}
    made = inventory(stack)
    grown = {kind for kind in made if made[kind] - before[kind]}
    assert {"functions", "layers", "roles", "rules", "log groups", "notifications", "event sources"} <= grown

    done = stack.cli("undeploy", "leaving", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert inventory(stack) == before
    assert stack.lambda_.list_layer_versions(LayerName="al-leaving-dev")["LayerVersions"] == []
    assert ledger_items(stack, "leaving") <= {"lease", "history", "releases", "collect"}


def test_old_releases_are_collected_and_a_rollback_to_one_says_so(stack: Stack) -> None:
    bodies = [make_zip(saying(word, small_zappa(num_retained_versions=1))) for word in ("one", "two", "six")]
    receipts = [stack.live(stack.drop("kept", body)) for body in bodies]
    function, uploads = receipts[0]["function"], [receipt["upload"]["version"] for receipt in receipts]

    def versions() -> list[str]:
        found = stack.lambda_.list_versions_by_function(FunctionName=function)["Versions"]
        return [item["Version"] for item in found if item["Version"] != "$LATEST"]

    until(lambda: versions() == ["2", "3"], 60, lambda: str(versions()))
    done = stack.cli("rollback", "kept", "--to", uploads[0], "--json")
    assert done.returncode == 0, done.stderr
    back = json.loads(done.stdout)
    assert stack.http(back["url"]).text == "one"
    assert any("its release was collected on" in warning for warning in back["warnings"])


@pytest.mark.parametrize("arguments", [["never-dropped", "--yes"], ["Not A Name", "--yes"]])
def test_nothing_is_done_where_there_is_nothing(stack: Stack, arguments: list[str]) -> None:
    assert stack.cli("undeploy", *arguments).returncode == 2
