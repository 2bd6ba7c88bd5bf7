from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from auto_lambda.aws.lambda_ import Alias, Functions, State, Versions

CODE = """
def handler(event, context):
    print("in the log")
    if event == "raise":
        raise ValueError("no")
    return {"got": event}
"""


def zipped(text: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", text)
    return data.getvalue()


@pytest.fixture(scope="module")
def client(aws_client: Callable[[str], Any]) -> Any:
    client = aws_client("lambda")
    role = "arn:aws:iam::123456789012:role/x"
    code = {"ZipFile": zipped(CODE)}
    client.create_function(FunctionName="echo", Runtime="python3.12", Role=role, Handler="app.handler", Code=code)
    client.get_waiter("function_active_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1})
    return client


def test_an_answer(client: Any) -> None:
    answer = Functions(client).invoke("echo", {"a": 1})
    assert answer.error is None
    assert answer.message == '{"got": {"a": 1}}'
    assert "in the log" in answer.log


def test_an_error(client: Any) -> None:
    answer = Functions(client).invoke("echo", "raise")
    assert answer.error
    assert answer.message == "no"


def test_a_dry_run_runs_nothing(client: Any) -> None:
    Functions(client).may_be_invoked("echo")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        Functions(client).may_be_invoked("nobody")


def test_state_and_new_code(client: Any, aws_client: Callable[[str], Any]) -> None:
    functions = Functions(client)
    before = functions.state("echo")
    assert before
    assert before.ready
    aws_client("s3").create_bucket(Bucket="code")
    aws_client("s3").put_object(Bucket="code", Key="new.zip", Body=zipped(CODE + "#"))
    functions.set_code("echo", "code", "new.zip")
    after = functions.state("echo")
    assert after
    assert after.code_sha256 != before.code_sha256
    assert functions.state("nobody") is None


def test_settings_and_code_become_a_version_if_the_function_is_what_was_seen(client: Any, aws_client: Any) -> None:
    functions = Functions(client)
    seen = functions.settled("echo")
    aws_client("s3").create_bucket(Bucket="code")
    aws_client("s3").put_object(Bucket="code", Key="new.zip", Body=zipped(CODE + "# published"))
    configured = functions.configure("echo", {"MemorySize": 256}, seen)
    version, made = functions.publish_code("echo", "code", "new.zip", configured)
    assert (made.ready, made.settings) == (True, {**seen.settings, "MemorySize": 256})
    assert functions.state(f"echo:{version}") == made
    latest = functions.state("echo")
    assert latest
    assert latest.code_sha256 == made.code_sha256 != seen.code_sha256
    with pytest.raises(ClientError, match="RevisionId"):
        functions.configure("echo", {"MemorySize": 128}, seen)
    with pytest.raises(ClientError, match="RevisionId"):
        functions.publish_code("echo", "code", "new.zip", seen)


def test_an_update_that_does_not_end_is_not_waited_for_forever() -> None:
    told = {"CodeSha256": "", "LastUpdateStatus": "InProgress"}
    client: Any = SimpleNamespace(get_function_configuration=lambda **_: told)
    slept: list[float] = []
    with pytest.raises(TimeoutError, match="echo is still being updated"):
        Functions(client, sleep=slept.append).settled("echo")
    assert sum(slept) == pytest.approx(300, abs=5)


@pytest.mark.parametrize(
    ("state", "last_update", "ready"),
    [
        ("Active", "Successful", True),
        ("Inactive", "", True),
        ("Pending", "", False),
        ("Active", "InProgress", False),
        ("Failed", "Failed", False),
    ],
)
def test_ready(state: str, last_update: str, ready: bool) -> None:
    assert State(state, last_update, "", "").ready is ready


class _Silent:
    """A client that has no answer to anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_only_invocations_are_waited_for_as_long_as_functions_take(client: Any) -> None:
    functions = Functions(client, invoking=cast(Any, _Silent()))
    assert functions.state("echo")
    with pytest.raises(AssertionError, match="invoke"):
        functions.invoke("echo", {})


def test_what_was_changed_by_hand_is_told_by_the_settings_alone(client: Any) -> None:
    functions = Functions(client)
    client.get_waiter("function_updated_v2").wait(FunctionName="echo")
    version = client.publish_version(FunctionName="echo")["Version"]
    released, latest = functions.state(f"echo:{version}"), functions.state("echo")
    assert released
    assert latest
    assert released.settings == latest.settings
    client.update_function_configuration(FunctionName="echo", Timeout=9, Environment={"Variables": {"A": "b"}})
    changed = functions.state("echo")
    assert changed
    assert {name for name in changed.settings if changed.settings[name] != released.settings[name]} == {
        "Timeout",
        "Environment",
    }
    functions.set_settings("echo", released.settings)
    again = functions.state("echo")
    assert again
    assert again.settings == released.settings


def test_a_weighted_alias_is_told_and_pointed_at_one_version() -> None:
    """The embedded AWS ignores weights."""
    client = boto3.client("lambda", "us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        told = {"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}
        stub.add_response("get_alias", told, {"FunctionName": "echo", "Name": "live"})
        wanted = {
            "FunctionName": "echo", "Name": "live", "FunctionVersion": "2",
            "RoutingConfig": {"AdditionalVersionWeights": {}},
        }  # fmt: skip
        stub.add_response("update_alias", {}, wanted)
        functions = Functions(client)
        assert functions.alias("echo", "live") == Alias("2", weighted=True)
        functions.point("echo", "live", "2")


def test_no_alias(client: Any) -> None:
    assert Functions(client).alias("echo", "nowhere") is None


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"[]", b'{"errorMessage": {"deep": 1}}', b""])
def test_whatever_a_failing_function_answers_is_its_failure(body: bytes) -> None:
    client = boto3.client("lambda", "us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        stub.add_response("invoke", {"FunctionError": "Unhandled", "Payload": io.BytesIO(body)})
        assert Functions(client).invoke("echo", {}).error == "Unhandled"


def test_versions_are_listed_and_deleted(client: Any) -> None:
    role = "arn:aws:iam::123456789012:role/x"
    for number in (1, 2, 3):
        if number == 1:
            client.create_function(
                FunctionName="old", Runtime="python3.12", Role=role, Handler="app.handler", Publish=True,
                Code={"ZipFile": zipped("1")}, Environment={"Variables": {"A": "b"}},
            )  # fmt: skip
        else:
            client.update_function_code(FunctionName="old", ZipFile=zipped(str(number)), Publish=True)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    client.create_alias(FunctionName="old", Name="x", FunctionVersion="3", RoutingConfig=weights)
    versions = Versions(client)
    assert [it.version for it in versions.of_function("old")] == ["$LATEST", "1", "2", "3"]
    assert {tuple((it.variables or {}).items()) for it in versions.of_function("old")} == {(("A", "b"),)}
    assert versions.aliased("old") == {"2", "3"}
    assert [versions.delete("old", number) for number in ("1", "1", "2", "3")] == [True, True, False, False]
    assert [it.version for it in versions.of_function("old")] == ["$LATEST", "2", "3"]


@pytest.mark.parametrize("version", ["", "$LATEST", "live"])
def test_only_numbered_versions_are_deleted(client: Any, version: str) -> None:
    with pytest.raises(ValueError, match="whole function"):
        Versions(client).delete("echo", version)


def test_layer_versions_are_listed_and_deleted(client: Any) -> None:
    arns = [
        client.publish_layer_version(LayerName="tools", Content={"ZipFile": zipped(text)})["LayerVersionArn"]
        for text in ("a", "b")
    ]
    versions = Versions(client)
    assert sorted(versions.of_layer("tools")) == arns
    for _ in range(2):
        versions.delete_layer("tools", 1)
    assert versions.of_layer("tools") == arns[1:]


def test_what_does_not_exist_has_no_versions(client: Any) -> None:
    assert (Versions(client).of_function("nobody"), Versions(client).of_layer("nothing")) == ([], [])


def test_variables_that_lambda_cannot_read_are_not_known(client: Any) -> None:
    with Stubber(client) as stub:
        broken = {"Version": "1", "Environment": {"Error": {"ErrorCode": "AccessDeniedException", "Message": "key"}}}
        stub.add_response("list_versions_by_function", {"Versions": [broken]})
        (found,) = Versions(client).of_function("echo")
    assert found.variables is None
