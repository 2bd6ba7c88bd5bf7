"""Every trigger that we call carried is pulled, for all frameworks, and settings do in AWS what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from e2e_stack import Answer, Drop, Stack, until
from everything import RESULTS
from web_socket import WebSocket

Kept = Callable[..., Any]
OWNERS = ["every-chalice", "every-zappa"]
HELD = {"Authorization": "let me in"}


@pytest.fixture(scope="module")
def receipts(stack: Stack, drops: dict[str, Drop]) -> dict[str, dict[str, Any]]:
    return {name: stack.live(drops[name]) for name in (*OWNERS, "every-http", "every-plain")}


@pytest.fixture
def kept(stack: Stack, receipts: dict[str, dict[str, Any]]) -> Kept:
    """What a function of an app left when it was started."""
    assert receipts

    def wait(owner: str, name: str, seconds: float = 40) -> Any:
        return until(
            lambda: stack.get_json(RESULTS, f"{owner}/{name}.json"), seconds, lambda: f"{owner} was not told: {name}"
        )

    return wait


@pytest.mark.parametrize("owner", [*OWNERS, "every-plain"])
def test_a_message_on_a_queue(stack: Stack, kept: Kept, owner: str) -> None:
    url = stack.sqs.get_queue_url(QueueName=f"{owner}-orders")["QueueUrl"]
    stack.sqs.send_message(QueueUrl=url, MessageBody="tea")
    assert kept(owner, "order") == ["tea"]


def test_a_message_on_a_topic(stack: Stack, kept: Kept) -> None:
    def publish(owner: str, message: str, kind: str) -> None:
        arn = f"arn:aws:sns:us-east-1:123456789012:{owner}-news"
        kinds = {"kind": {"DataType": "String", "StringValue": kind}}
        stack.client("sns").publish(TopicArn=arn, Subject="news", Message=message, MessageAttributes=kinds)

    publish("every-chalice", "spring", "any")
    publish("every-plain", "summer", "any")
    publish("every-zappa", "storms", "bad")
    publish("every-zappa", "spring", "good")
    assert kept("every-chalice", "news") == ["news", "spring"]
    assert kept("every-plain", "news") == ["summer"]
    assert kept("every-zappa", "news") == "spring", "the filter of the event keeps out what is not for it"


@pytest.mark.parametrize("owner", OWNERS)
def test_a_record_of_a_stream(stack: Stack, kept: Kept, owner: str) -> None:
    stack.client("kinesis").put_record(StreamName=f"{owner}-clicks", Data=b"here", PartitionKey="1")
    assert kept(owner, "click") == ["here"]


@pytest.mark.parametrize("owner", OWNERS)
def test_a_change_in_a_table(stack: Stack, kept: Kept, owner: str) -> None:
    stack.client("dynamodb").put_item(TableName=f"{owner}-changes", Item={"id": {"S": "a"}})
    assert kept(owner, "change") == [{"id": {"S": "a"}}]


def test_an_object_in_a_bucket_reaches_the_function_that_asked_for_it(stack: Stack, kept: Kept) -> None:
    dropped = ("every-chalice", "in/a b.txt"), ("every-zappa", "img/a.png", "csv/a.csv"), ("every-plain", "in/a.txt")
    for owner, *names in dropped:
        for name in names:
            stack.s3.put_object(Bucket=f"{owner}-files", Key=name, Body=b"x")
    assert kept("every-chalice", "file") == "in/a b.txt"
    assert kept("every-zappa", "picture") == "img/a.png"
    assert kept("every-zappa", "sheet") == "csv/a.csv"
    assert kept("every-plain", "file") == ["in/a.txt"]


def test_an_event_that_matches_a_pattern(stack: Stack, kept: Kept) -> None:
    entry = {"Source": "every.shop", "DetailType": "order", "Detail": '{"number": 7}'}
    stack.client("events").put_events(Entries=[entry])
    assert kept("every-chalice", "happened") == {"number": 7}
    assert stack.get_json(RESULTS, "every-zappa/happened.json") is None
    stack.client("events").put_events(Entries=[{**entry, "EventBusName": "every-bus", "Detail": '{"number": 8}'}])
    assert kept("every-zappa", "happened") == {"number": 8}, "on the bus that it asked for"


def test_a_schedule(kept: Kept) -> None:
    assert kept("every-chalice", "minutely", 100) == "aws.events"
    assert kept("every-zappa", "minutely", 100) == {"deep": True}
    assert kept("every-plain", "minutely", 100) == "aws.events"


def test_a_plain_function_and_its_own_settings(stack: Stack, kept: Kept) -> None:
    function = stack.function("every-chalice", "plain")
    assert stack.invoke(function, {"a": 1}) == {"got": {"a": 1}, "memory": 256}


def test_a_bot_and_a_user_pool_call_the_functions_that_are_named_for_them(stack: Stack, kept: Kept) -> None:
    bot = {
        "bot": {"name": "shop"},
        "invocationSource": "Fulfil",
        "currentIntent": {"name": "Flowers", "slots": "roses"},
    }
    assert stack.invoke("every-zappa-dev", bot) == {"flowers": "roses"}
    assert stack.invoke("every-zappa-dev", {"triggerSource": "PreSignUp_SignUp"})["seen"] is True


def web_socket_url(stack: Stack, owner: str, stage: str) -> str:
    apis = stack.client("apigatewayv2").get_apis()["Items"]
    (api,) = (
        one["ApiId"] for one in apis if one["ProtocolType"] == "WEBSOCKET" and owner in json.dumps(one, default=str)
    )
    return f"{stack.endpoint.replace('http', 'ws')}/_aws/execute-api/{api}/{stage}"


@pytest.mark.parametrize(("owner", "stage"), [("every-chalice", "v9"), ("every-zappa", "dev")])
def test_a_web_socket(stack: Stack, kept: Kept, owner: str, stage: str) -> None:
    with WebSocket(web_socket_url(stack, owner, stage)) as connection:
        connection.send("hello")
        assert connection.receive() == "HELLO"
        known = kept(owner, "connect")
    assert kept(owner, "disconnect") == known


def get(stack: Stack, receipt: dict[str, Any], path: str, method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return stack.http(receipt["url"] + path, method, headers=named)


def test_chalices_routes(stack: Stack, receipts: dict[str, dict[str, Any]]) -> None:
    chalice = receipts["every-chalice"]
    assert "/v9/" in chalice["url"]
    index = get(stack, chalice, "")
    assert index.json == {"boto3": "1.26.0", "colour": "red"}
    assert (index.headers["X-Marked"], index.headers["Access-Control-Allow-Origin"]) == ("yes", "https://a.example")
    asks = get(stack, chalice, "", "OPTIONS", Origin="https://a.example", Access_Control_Request_Method="GET")
    assert asks.headers["Access-Control-Max-Age"] == "7"
    assert get(stack, chalice, "blue/sky").json == {"blue": True}
    assert get(stack, chalice, "bytes", Accept="application/x-own").body == bytes(range(256))
    assert [get(stack, chalice, "guarded", Authorization=token).status for token in ("open", "let me in")] == [403, 200]
    assert get(stack, chalice, "guarded", **HELD).json == {"who": "somebody"}
    assert get(stack, chalice, "keyed").status == 403


def test_what_chalices_configuration_says_is_there(stack: Stack, receipts: dict[str, dict[str, Any]]) -> None:
    function = stack.lambda_.get_function(FunctionName=receipts["every-chalice"]["function"])
    configuration = function["Configuration"]
    assert (configuration["MemorySize"], configuration["Timeout"]) == (192, 20)
    assert function["Tags"]["team"] == "every"
    assert has_layer(configuration)
    assert (configuration["Architectures"], configuration["TracingConfig"]) == (["x86_64"], {"Mode": "Active"})
    assert rest_api(stack, receipts["every-chalice"])["minimumCompressionSize"] == 1000
    groups = stack.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/every-chalice-dev/Plain")
    assert [one["retentionInDays"] for one in groups["logGroups"]] == [3]


def has_layer(configuration: dict[str, Any]) -> bool:
    return [":layer:every:" in one["Arn"] for one in configuration["Layers"]].count(True) == 1


def rest_api(stack: Stack, receipt: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stack.client("apigateway").get_rest_api(restApiId=receipt["url"].split("/")[-3])
    return found


@pytest.fixture(scope="module")
def key(stack: Stack, receipts: dict[str, dict[str, Any]]) -> str:
    """The key that the stack of the zappa app made."""
    assert receipts
    apis = stack.client("apigateway")
    resources = stack.client("cloudformation").describe_stack_resources(StackName="al-every-zappa-dev")[
        "StackResources"
    ]
    (made,) = (one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::ApiGateway::ApiKey")
    return str(apis.get_api_key(apiKey=made, includeValue=True)["value"])


def test_zappas_variables_hooks_and_files(stack: Stack, receipts: dict[str, dict[str, Any]], key: str) -> None:
    answer = get(stack, receipts["every-zappa"], "", x_api_key=key, **HELD).json
    assert {name: answer[name] for name in ("COLOUR", "BAKED", "REMOTE", "ADJUSTED")} == {
        "COLOUR": "red", "BAKED": "yes", "REMOTE": "yes", "ADJUSTED": "yes",
    }  # fmt: skip
    assert (answer["method"], answer["root"]) == ("GET", "/dev")
    held = {"x_api_key": key, "Accept": "image/png", **HELD}
    assert get(stack, receipts["every-zappa"], "bytes", **held).body == bytes(range(256))
    assert "prebuilt.txt" in answer["files"]
    assert not {"a.private", "notes"} & set(answer["files"])


def test_zappas_api_asks_for_the_key_and_the_authorizer(
    stack: Stack, receipts: dict[str, dict[str, Any]], key: str
) -> None:
    zappa = receipts["every-zappa"]
    assert get(stack, zappa, "", x_api_key=key).status == 401
    assert get(stack, zappa, "", x_api_key=key, Authorization="open").status == 403
    assert get(stack, zappa, "", **HELD).status == 403
    asks = get(stack, zappa, "", "OPTIONS", Origin="https://a.example", Access_Control_Request_Method="GET")
    assert (asks.status, asks.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_zappas_tasks_and_their_answers(stack: Stack, receipts: dict[str, dict[str, Any]], key: str) -> None:
    def ask(path: str) -> Any:
        return get(stack, receipts["every-zappa"], path, x_api_key=key, **HELD).json

    def answer() -> Any:
        told = ask(f"task/{task}").get("response")
        return None if told == "N/A" else told  # what zappa says while the task runs

    task = ask("task")["id"]
    assert until(answer, 40) == {"sum": 42}


def test_zappas_exception_handler(stack: Stack, receipts: dict[str, dict[str, Any]], key: str, kept: Kept) -> None:
    answer = get(stack, receipts["every-zappa"], "boom", x_api_key=key, **HELD)
    assert (answer.status, "Traceback" in answer.text) == (500, True)
    assert kept("every-zappa", "failed") == "as asked"


def test_what_zappas_settings_say_is_there(stack: Stack, receipts: dict[str, dict[str, Any]]) -> None:
    name = receipts["every-zappa"]["function"]
    function = stack.lambda_.get_function(FunctionName=name)
    configuration = function["Configuration"]
    assert name == "every-zappa-dev"
    assert (configuration["MemorySize"], configuration["Timeout"]) == (320, 21)
    assert (configuration["Description"], configuration["Runtime"]) == ("everything", "python3.12")
    assert configuration["EphemeralStorage"] == {"Size": 1024}
    assert function["Tags"]["team"] == "every"
    assert has_layer(configuration)
    assert (configuration["Architectures"], configuration["TracingConfig"]) == (["x86_64"], {"Mode": "Active"})
    role = configuration["Role"].rpartition("/")[2]
    policies = stack.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    assert {"attach-policy", "extra-permissions"} <= set(policies)
    rules = stack.client("events").list_rules()["Rules"]
    (warm,) = (one for one in rules if one["Name"].startswith("every-zappa-dev-zappa-keep-warm"))
    table = stack.client("dynamodb").describe_table(TableName="every-zappa-dev-answers")["Table"]
    throughput = table["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (2, 3)
    api = rest_api(stack, receipts["every-zappa"])
    assert (api["description"], api["minimumCompressionSize"]) == ("everything over HTTP", 1000)
    assert (warm["ScheduleExpression"], warm["State"]) == ("rate(2 minutes)", "ENABLED")


def test_an_http_api_a_function_url_and_a_topic_for_tasks(
    stack: Stack, receipts: dict[str, dict[str, Any]], kept: Kept
) -> None:
    http = receipts["every-http"]
    assert get(stack, http, "note").json == ["/note", "yes"]
    assert kept("every-http", "note") == "done"
    assert get(stack, http, "tool").json == ["hammered", "yes"], "programs in the zip can be run"
    away = get(stack, http, "away")
    assert (away.status, away.headers["Location"]) == (307, http["url"] + "there")

    snapped = stack.lambda_.get_function_configuration(FunctionName="every-http-dev", Qualifier="live")["SnapStart"]
    assert snapped["OptimizationStatus"] == "On"
    url = stack.lambda_.get_function_url_config(FunctionName="every-http-dev", Qualifier="live")["FunctionUrl"]
    own = f"{stack.endpoint}/_aws/lambda-url/{url.split('//')[1].partition('.')[0]}/"
    answer = stack.http(f"{own}any", headers={"Origin": "https://a.example"})
    assert answer.json == ["/any", "yes"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert stack.http(f"{own}away").headers["Location"] == f"{own}there"


def test_what_chalice_lacks_is_there_by_function(stack: Stack, receipts: dict[str, dict[str, Any]]) -> None:
    assert receipts
    order, news, plain = (stack.function("every-chalice", name) for name in ("order", "news", "plain"))
    assert response_types(stack, order) == {("ReportBatchItemFailures",)}
    calls = stack.lambda_.get_function_event_invoke_config(FunctionName=news, Qualifier="live")
    assert (calls["MaximumRetryAttempts"], calls["MaximumEventAgeInSeconds"]) == (0, 60)
    assert stack.lambda_.get_function_configuration(FunctionName=plain)["EphemeralStorage"] == {"Size": 1024}
    url = stack.lambda_.get_function_url_config(FunctionName=plain, Qualifier="live")["FunctionUrl"]
    own = f"{stack.endpoint}/_aws/lambda-url/{url.split('//')[1].partition('.')[0]}/"
    assert stack.http(f"{own}any").json["got"]["rawPath"] == "/any"


def test_what_zappa_lacks_is_there(stack: Stack, receipts: dict[str, dict[str, Any]]) -> None:
    name = receipts["every-zappa"]["function"]
    assert response_types(stack, name) == {("ReportBatchItemFailures",)}
    calls = stack.lambda_.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert (calls["MaximumRetryAttempts"], calls["MaximumEventAgeInSeconds"]) == (1, 600)
    (warm,) = receipts["every-zappa"]["costs"]["items"]
    assert (warm["function"], warm["what"]) == ("App", "keep_warm")


def test_a_url_for_signed_calls_and_environments_that_are_always_started(
    stack: Stack, receipts: dict[str, dict[str, Any]]
) -> None:
    order = stack.function("every-plain", "order")
    assert stack.lambda_.get_function_url_config(FunctionName=order, Qualifier="live")["AuthType"] == "AWS_IAM"
    (item,) = receipts["every-plain"]["costs"]["items"]
    assert (item["function"], item["what"]) == ("Order", "provisioned_concurrency")


def response_types(stack: Stack, function: str) -> set[tuple[str, ...]]:
    """What the answers to batches may hold, of every queue and stream that calls a function."""
    sources = stack.lambda_.list_event_source_mappings(FunctionName=f"{function}:live")["EventSourceMappings"]
    return {tuple(one.get("FunctionResponseTypes", ())) for one in sources}
