from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
    TokenRetrievalError,
)
from console import Page
from seen_pipeline import SeenPipeline

from auto_lambda import drops
from auto_lambda.keys import App, BadKey
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem, problem_of
from auto_lambda_cli.queries.services import Services


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "so it is\x1b[31m"}}, "GetObject")


@pytest.mark.parametrize(("error", "code", "retry"), [
    (NoCredentialsError(), "no-credentials", False),
    (ProfileNotFound(profile="x"), "no-credentials", False),
    (NoRegionError(), "no-region", False),
    (TokenRetrievalError(provider="sso", error_msg="x"), "expired-credentials", False),
    (client_error("ExpiredToken"), "expired-credentials", False),
    (client_error("RequestExpired"), "expired-credentials", False),
    (client_error("InvalidClientTokenId"), "unknown-credentials", False),
    (client_error("AccessDenied"), "refused", False),
    (client_error("403"), "refused", False),
    (client_error("ThrottlingException"), "throttled", True),
    (client_error("SlowDown"), "throttled", True),
    (EndpointConnectionError(endpoint_url="http://x"), "unreachable", True),
    (ReadTimeoutError(endpoint_url="http://x"), "unreachable", True),
    (client_error("NoSuchBucket"), "aws", False),
    (BotoCoreError(), "aws", False),
    (BadKey("no name"), "bad-name", False),
    (Problem("nothing", "there is nothing"), "nothing", False),
])  # fmt: skip
def test_a_problem_has_a_code_that_the_page_knows(error: Exception, code: str, retry: bool) -> None:
    problem = problem_of(error)
    assert (problem.code, problem.retry) == (code, retry)
    assert "\x1b" not in problem.message
    assert problem.status >= 400


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_a_problem_with_the_credentials_is_the_same_for_every_call(code: str) -> None:
    calls = [ClientError({"Error": {"Code": code, "Message": name}}, name) for name in ("GetObject", "Query")]
    assert len({problem_of(error).message for error in calls}) == 1
    assert "credentials" in problem_of(calls[0]).message


def test_what_nobody_expected_is_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    problem = problem_of(ZeroDivisionError("secret-of-an-app"))
    assert problem.code == "internal"
    assert "secret-of-an-app" not in str(problem.as_json())
    assert "ZeroDivisionError" in capsys.readouterr().err


PARTS = {
    "api/apps": ["apps"], "api/apps/dev/shop": ["state", "receipt"], "api/apps/dev/shop/releases": ["releases"],
    "api/apps/dev/shop/configuration": ["configuration"], "api/identity": ["identity"],
}  # fmt: skip


@pytest.mark.parametrize("path", PARTS)
def test_without_credentials_each_part_says_so_and_the_console_stays(
    page: Page, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise NoCredentialsError

    with monkeypatch.context() as patched:
        patched.setattr(Services, "client", none)
        answer = page.get(path)
        assert answer.status == 200
        assert {answer.problem(part)["code"] for part in PARTS[path]} == {"no-credentials"}
        assert page.get("api/about").status == 200
    assert "error" not in page.get(path).json["parts"][PARTS[path][-1]]


def test_after_a_problem_with_the_credentials_they_are_looked_for_again(
    page: Page, context: ConsoleContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = context.services
    with monkeypatch.context() as patched:
        patched.setattr(drops, "latest", lambda *_: (_ for _ in ()).throw(client_error("ExpiredToken")))
        answer = page.post("api/apps/dev/shop/rollback")
        assert (answer.status, answer.error["code"]) == (503, "expired-credentials")
    assert context.services is not before
    again = context.services
    monkeypatch.setattr(drops, "latest", lambda *_: (_ for _ in ()).throw(client_error("AccessDenied")))
    assert page.post("api/apps/dev/shop/rollback").error["code"] == "refused"
    assert context.services is again


def test_without_the_ledger_the_rest_is_told(
    page: Page, pipeline: SeenPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = pipeline.drop()
    pipeline.go_live(version)
    monkeypatch.delenv("AUTO_LAMBDA_TABLE")
    state = page.get("api/apps/dev/shop").value("state")
    assert state["live"]["release"] == version
    assert [one["part"] for one in state["unknown"]] == ["history"]


def test_apps_whose_receipts_may_not_be_read_are_named(
    page: Page, pipeline: SeenPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.go_live(pipeline.drop())
    quotes = App("prod", "quotes")
    pipeline.drop(quotes)
    pipeline.tell(quotes)
    real = drops.read

    def read(store: Any, bucket: str, key: str) -> Any:
        if key == quotes.key:
            raise client_error("AccessDenied")
        return real(store, bucket, key)

    monkeypatch.setattr(drops, "read", read)
    told = page.get("api/apps").value("apps")
    assert [stage["stage"] for stage in told["stages"]] == ["dev"]
    assert told["unseen"] == [quotes.key]
