"""``auto-lambda pipeline`` as people and programs see it: what is told, with which exit code, when AWS says no."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError, ProfileNotFound
from commands import run

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda_cli.commands import pipeline
from auto_lambda_cli.pipeline import launch, review
from auto_lambda_cli.pipeline.change_sets import Change, ReviewedStacks
from auto_lambda_cli.pipeline.checks import Check, LaunchRefused
from auto_lambda_cli.pipeline.launch import Launched
from auto_lambda_cli.pipeline.parts import all_parts
from auto_lambda_cli.pipeline.review import StackReview
from auto_lambda_cli.pipeline.site import Memory, Site

OUTPUTS = {"UploadsBucket": "up", "LedgerTable": "ledger"}
ADD = Change("Add", "Vpc", "AWS::EC2::VPC")


class FakeSite(Site):
    """Of which only the stack of the core is asked."""

    def memory(self) -> Memory:
        return Memory()

    def single_stack(self) -> bool:
        return False


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What AWS says, to be changed by a test: ``checks``, ``steps``, ``launch``."""
    told: dict[str, Any] = {
        "checks": [Check("names", "ok", "free")],
        "steps": [StackReview(part, part.stack("auto-lambda"), True, (ADD,)) for part in all_parts()[:2]],
        "launch": Launched(OUTPUTS),
    }

    def answer(what: str) -> Any:
        if isinstance(told[what], BaseException):
            raise told[what]
        return told[what]

    client = boto3.client("cloudformation", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    monkeypatch.setattr(ReviewedStacks, "describe", lambda *_: told.get("core"))
    site = FakeSite("auto-lambda", "1" * 12, "eu-west-1", lambda _: client, ReviewedStacks(client))
    monkeypatch.setattr(pipeline, "_site", lambda *_: answer("site") if "site" in told else site)
    monkeypatch.setattr(launch, "choose", lambda *_: {"ImageExists": told.get("image", "true")})
    monkeypatch.setattr("auto_lambda_cli.pipeline.checks.check", lambda *_: answer("checks"))
    monkeypatch.setattr(review, "review", lambda *_: answer("steps"))
    monkeypatch.setattr(launch, "launch", lambda *_: answer("launch"))
    return told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoCredentialsError(), "there are no AWS credentials"),
        (NoRegionError(), "no AWS region is set"),
        (
            ProfileNotFound(profile="nope"),
            "(nope) could not be found: set AWS_PROFILE to one of `aws configure list-profiles`",
        ),
        (LaunchRefused("the AWS credentials have expired: log in again"), "have expired"),
    ],
)
@pytest.mark.parametrize("command", ["up", "upgrade", "status", "down"])
def test_without_valid_credentials_nothing_is_done(
    account: dict[str, Any], command: str, error: Exception, told: str
) -> None:
    account["site"] = error
    done = run("pipeline", command)
    assert (done.exit_code, told in done.stderr) == (2, True)


def test_a_launch_says_what_comes_next(account: dict[str, Any]) -> None:
    done = run("pipeline", "up", "--yes")
    assert done.exit_code == 0
    assert done.stdout == "export AUTO_LAMBDA_UPLOADS_BUCKET=up\n"
    assert "  + Vpc  AWS::EC2::VPC" in done.stderr
    assert "auto-lambda ami build" not in done.stderr
    account["image"] = "false"
    assert "auto-lambda ami build\n" in run("pipeline", "up", "--yes").stderr


def test_programs_get_one_document(account: dict[str, Any]) -> None:
    told = json.loads(run("pipeline", "up", "--yes", "--json").stdout)
    assert (told["changed"], told["outputs"], told["checks"][0]["state"]) == (True, OUTPUTS, "ok")
    assert told["stacks"][0]["changes"] == [
        {"action": "Add", "resource": "Vpc", "type": "AWS::EC2::VPC", "replacement": ""}
    ]
    account["launch"] = AssertionError("nothing may be changed")
    assert json.loads(run("pipeline", "up", "--dry-run", "--json").stdout)["changed"] is False


def test_without_a_terminal_and_without_yes_nothing_is_changed(account: dict[str, Any]) -> None:
    account["launch"] = AssertionError("nothing may be changed")
    done = run("pipeline", "up")
    assert (done.exit_code, "use --yes" in done.stderr) == (2, True)


def test_where_nothing_would_change_nobody_is_asked(account: dict[str, Any]) -> None:
    account["steps"] = [StackReview(all_parts()[0], "auto-lambda", False, ())]
    done = run("pipeline", "up")
    assert (done.exit_code, "stack auto-lambda stays as it is" in done.stderr) == (0, True)


def test_what_is_wrong_ends_it_before_anything_is_reviewed(account: dict[str, Any]) -> None:
    account["checks"] = [Check("names", "wrong", "bucket up exists already"), Check("image", "warning", "none")]
    account["steps"] = AssertionError("not to be reviewed")
    done = run("pipeline", "up", "--yes")
    assert (done.exit_code, "wrong    names: bucket up exists already" in done.stderr) == (2, True)


def test_a_change_set_that_is_refused_has_changed_nothing(account: dict[str, Any]) -> None:
    account["steps"] = StackFailed("auto-lambda-fleet", None, "Parameter WorkersMax must be a number")
    done = run("pipeline", "up", "--yes")
    assert done.exit_code == 2
    assert "nothing was changed: stack auto-lambda-fleet: Parameter WorkersMax must be a number" in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        StackFailed("auto-lambda-roles", "WorkerRole", "it exists already"),
        LaunchRefused("CheckerGroup would be removed, which was not announced"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "CreateChangeSet"),
    ],
)
def test_what_fails_after_it_was_begun_says_how_to_go_on(account: dict[str, Any], error: Exception) -> None:
    account["launch"] = error
    done = run("pipeline", "up", "--yes")
    assert done.exit_code == 1
    assert str(error) in done.stderr
    assert "run the same command again" in done.stderr


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (TimeoutError("stack x still has"), 3)])
def test_a_wait_that_ends_early_says_how_to_go_on(account: dict[str, Any], error: BaseException, code: int) -> None:
    account["launch"] = error
    done = run("pipeline", "up", "--yes")
    assert (done.exit_code, "Run the same command again" in done.stderr) == (code, True)


@pytest.mark.parametrize("command", ["upgrade", "status", "down"])
def test_where_there_is_no_pipeline(account: dict[str, Any], command: str) -> None:
    done = run("pipeline", command)
    assert (done.exit_code, "there is no pipeline auto-lambda in 111111111111, eu-west-1" in done.stderr) == (2, True)


@pytest.mark.parametrize("wrong", ["WorkersMax", "=3"])
def test_a_parameter_is_a_pair(account: dict[str, Any], wrong: str) -> None:
    done = run("pipeline", "up", "--set", wrong)
    assert (done.exit_code, f"--set '{wrong}' is not NAME=VALUE" in done.stderr) == (2, True)


def test_progress_is_what_has_ended_and_what_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        "CREATE_IN_PROGRESS Vpc",
        "CREATE_COMPLETE Vpc",
        "CREATE_FAILED Queue: no",
        "s: X_IN_PROGRESS, waiting",
    ):
        pipeline._progress(line)
    assert capsys.readouterr().err.splitlines() == [
        "CREATE_COMPLETE Vpc",
        "CREATE_FAILED Queue: no",
        "s: X_IN_PROGRESS, waiting",
    ]
