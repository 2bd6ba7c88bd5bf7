"""A zip that is deleted takes its app out of AWS, and an earlier version of it can be brought back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from e2e_stack import Drop, LocalUp, Stack, make_zip, saying, until


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: in the shared one, an app stays where it is when its zip is deleted."""
    up = LocalUp(tmp_path_factory.mktemp("undeploy"), "--undeploy-on-delete")
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


@pytest.mark.parametrize("arguments", [["never-dropped", "--yes"], ["Not A Name", "--yes"]])
def test_nothing_is_done_where_there_is_nothing(stack: Stack, arguments: list[str]) -> None:
    assert stack.cli("undeploy", *arguments).returncode == 2
