"""Commands that ask about one app."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from commands import BUCKET, run
from seen_pipeline import SHOP, SeenPipeline
from typer._completion_shared import get_completion_script
from typer.testing import CliRunner

from auto_lambda.aws.lambda_ import Answer
from auto_lambda.keys import App
from auto_lambda_cli.app import app
from auto_lambda_cli.queries import functions

FAILED = {"code": "bad-config", "message": "config.json: line 3", "hint": "Mend line 3."}


@pytest.fixture
def broken(pipeline: SeenPipeline) -> list[str]:
    """An app whose second release is live, and whose newest zip has failed."""
    versions = [pipeline.drop(body=bytes(number)) for number in range(3)]
    pipeline.go_live(versions[0])
    pipeline.go_live(versions[1], before=versions[0])
    pipeline.attempt(versions[2], "failed", code="bad-config")
    serving = {
        "url": "https://shop.example/", "function": "shop-dev", "version": "2", "upload": versions[1],
        "before": versions[0],
    }  # fmt: skip
    upload = {"key": SHOP.key, "version": versions[2]}
    pipeline.tell(status="failed", step="compile", upload=upload, serving=serving, error=FAILED)
    return versions


def test_status_of_one_app_tells_what_is_live_by_whom_and_what_failed(broken: list[str]) -> None:
    done = run("status", "shop")
    assert done.exit_code == 0
    for words in (
        f"release {broken[1][:12]} since 2026-01-02 12:02:00 UTC, by AROAEXAMPLE:anna from 192.0.2.7",
        "https://shop.example/",
        "shop-dev version 2",
        "zappa, Python 3.12",
        f"release {broken[0][:12]}; to restore it: auto-lambda rollback shop",
        "bad-config in compile",
        "Mend line 3.",
        "auto-lambda logs shop",
    ):
        assert words in done.stdout


def test_status_of_one_app_as_json(broken: list[str]) -> None:
    told = json.loads(run("status", "shop", "--json").stdout)
    assert (told["app"], told["stage"], told["status"]) == ("shop", "dev", "failed")
    assert (told["live"]["release"], told["under_way"]) == (broken[1], None)
    assert [(it["code"], it["hint"]) for it in told["failures"]] == [("bad-config", "Mend line 3.")]


def test_a_failure_of_the_function_comes_with_what_it_logged_line_by_line(
    broken: list[str], pipeline: SeenPipeline
) -> None:
    error = {"code": "unhealthy", "message": "Deployed, but:\n  it answered 500", "hint": "Mend it."}
    upload, lines = (
        {"key": SHOP.key, "version": broken[2]},
        ['  File "app.py", line 7, in index', "KeyError: 'x'\x1b[2J"],
    )
    pipeline.tell(status="failed", step="verify", upload=upload, error=error, function_log=lines)
    told = run("status", "shop").stdout
    shown = [line.strip() for line in told.splitlines()]
    for line in ("it answered 500", "the function logged:", 'File "app.py", line 7, in index', "KeyError: 'x'"):
        assert line in shown
    assert json.loads(run("status", "shop", "--json").stdout)["failures"][0]["function_log"] == lines


def test_a_part_that_is_not_allowed_is_told_and_the_rest_is_shown(
    broken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTO_LAMBDA_TABLE")
    done = run("status", "shop")
    assert done.exit_code == 0
    assert "https://shop.example/" in done.stdout
    assert "history: AUTO_LAMBDA_TABLE is not set" in done.stdout


@pytest.mark.parametrize("command", ["status", "releases", "url", "open", "invoke", "logs --runtime"])
def test_no_such_app_exits_1_with_the_nearest_name(pipeline: SeenPipeline, command: str) -> None:
    pipeline.drop()
    done = run(*command.split(), "shoop")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"there is no app dev/shoop in bucket {BUCKET}" in done.stderr
    assert "is it shop?" in done.stderr


@pytest.mark.parametrize(
    ("command", "code"), [("logs shoop", 1), ("rollback shoop", 2), ("config shoop set GREETING=hello", 0)]
)
def test_the_nearest_name_is_told_where_nothing_was_uploaded(pipeline: SeenPipeline, command: str, code: int) -> None:
    pipeline.drop()
    done = run(*command.split())
    assert done.exit_code == code
    assert "there is no app dev/shoop" in done.stderr
    assert "is it shop?" in done.stderr


def test_an_app_of_another_stage_is_told_to_be_there(pipeline: SeenPipeline) -> None:
    pipeline.drop(App("prod", "shop"))
    assert "it is in another stage: use --stage" in run("status", "shop").stderr


def test_releases_have_a_header_short_ids_and_what_is_live(broken: list[str]) -> None:
    done = run("releases", "shop")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["release", "dropped", "(UTC)", "outcome", "version", "python", "by"]
    by_id = {line.split()[0]: line for line in lines}
    assert set(by_id) == {version[:8] for version in broken}
    assert "live now" in by_id[broken[1][:8]]
    assert "failed: bad-config" in by_id[broken[2][:8]]
    told = json.loads(run("releases", "shop", "--json").stdout)
    assert {it["id"] for it in told} == set(broken)


def test_a_short_id_is_enough_for_a_rollback(broken: list[str], pipeline: SeenPipeline) -> None:
    done = run("rollback", "shop", "--to", broken[0][:8], "--no-wait")
    assert done.exit_code == 0
    assert broken[0] in done.stderr


def test_the_url_is_that_of_what_serves(broken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("url", "shop").stdout == "https://shop.example/\n"
    assert json.loads(run("url", "shop", "--json").stdout) == {"url": "https://shop.example/"}
    opened: list[str] = []

    def launch(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", launch)
    assert run("open", "shop").exit_code == 0
    assert opened == ["https://shop.example/"]


def test_what_is_no_web_address_is_not_opened(pipeline: SeenPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened"))
    version = pipeline.drop()
    serving = {"url": "file:///etc/passwd", "function": "shop-dev", "version": "1", "upload": version}
    pipeline.tell(upload={"key": SHOP.key, "version": version}, serving=serving)
    assert run("open", "shop").exit_code == 1


def test_an_app_without_a_url_says_how_to_call_it(pipeline: SeenPipeline) -> None:
    version = pipeline.drop()
    pipeline.tell(serving={"url": None, "function": "shop-dev", "version": "1", "upload": version}, url=None)
    done = run("url", "shop")
    assert done.exit_code == 1
    assert "auto-lambda invoke shop" in done.stderr


# ---------------------------------------------------------------------------------------------------------- invoke


@pytest.fixture
def invoked(pipeline: SeenPipeline, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a function was sent; it answers what it got, or fails with ``fail``."""
    sent: list[Any] = []

    def invoke(_services: Any, alias: Any, event: Any) -> Answer:
        sent.append((alias.arn, event))
        if event == "fail":
            return Answer("KeyError", "'id'", "START\nTraceback: boom\n", '{"errorType": "KeyError"}', "3")
        return Answer(None, "{}", "START\nin the log\n", json.dumps({"got": event}), "3")

    monkeypatch.setattr(functions, "invoke", invoke)
    monkeypatch.setattr(
        functions, "functions", lambda *_: [functions.FunctionAlias("APIHandler", "arn:shop-dev:live", main=True)]
    )
    return sent


def test_invoke_prints_the_answer_and_the_log_apart(invoked: list[Any], tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"id": 1}')
    done = run("invoke", "shop", "--event", str(event))
    assert (done.exit_code, done.stdout) == (0, '{"got": {"id": 1}}\n')
    assert "in the log" in done.stderr
    assert invoked == [("arn:shop-dev:live", {"id": 1})]


def test_invoke_with_a_sample_and_json(invoked: list[Any]) -> None:
    told = json.loads(run("invoke", "shop", "--event", "sample:sqs", "--json").stdout)
    assert told["payload"]["got"]["Records"][0]["eventSource"] == "aws:sqs"
    assert (told["error"], told["version"]) == (None, "3")


def test_a_function_that_fails_exits_1_with_its_traceback(invoked: list[Any], tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text('"fail"')
    done = run("invoke", "shop", "--event", str(tmp_path / "e.json"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "KeyError: 'id'" in done.stderr
    assert "Traceback: boom" in done.stderr


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("sample:letter", "the samples are dynamodb"),
        ("/nowhere.json", "there is no file"),
        ("/etc", "cannot be read"),
        ("{bad}", "is not JSON"),
    ],
)
def test_an_event_that_is_none_is_wrong_usage(invoked: list[Any], tmp_path: Path, event: str, told: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    done = run("invoke", "shop", "--event", event.replace("{bad}", str(bad)))
    assert (done.exit_code, invoked) == (2, [])
    assert told in done.stderr


# ------------------------------------------------------------------------------------------------------------- run


@pytest.mark.parametrize(
    ("words", "event"),
    [
        (["--", "migrate", "--noinput"], {"manage": "migrate --noinput"}),
        (["--call", "--", "tasks.clean"], {"command": "tasks.clean"}),
        (["--python", "--", "print(1, 2)"], {"raw_command": "print(1, 2)"}),
    ],
)
def test_run_sends_what_zappas_handler_takes(
    invoked: list[Any], pipeline: SeenPipeline, words: list[str], event: dict[str, str]
) -> None:
    pipeline.go_live(pipeline.drop())
    done = run("run", "shop", *words)
    assert (done.exit_code, invoked) == (0, [("arn:shop-dev:live", event)])


@pytest.mark.parametrize(
    ("words", "told"), [(["--", "say", "a b"], "no argument can have one"), (["--call", "--python", "x"], "only one")]
)
def test_what_zappa_would_misread_is_not_run(
    invoked: list[Any], pipeline: SeenPipeline, words: list[str], told: str
) -> None:
    pipeline.go_live(pipeline.drop())
    done = run("run", "shop", *words)
    assert (done.exit_code, invoked) == (2, [])
    assert told in done.stderr


def test_an_app_of_another_framework_takes_no_commands(invoked: list[Any], pipeline: SeenPipeline) -> None:
    version = pipeline.drop()
    serving = {"url": None, "function": "shop-dev", "version": "1", "upload": version}
    pipeline.tell(framework="chalice", upload={"key": SHOP.key, "version": version}, serving=serving)
    done = run("run", "shop", "--", "migrate")
    assert (done.exit_code, invoked) == (2, [])
    assert "is a chalice app" in done.stderr


# ---------------------------------------------------------------------------------------------------- logs --runtime


@pytest.fixture
def logged(pipeline: SeenPipeline) -> None:
    client: Any = boto3.client("logs")
    client.create_log_group(logGroupName="/aws/lambda/shop-dev")
    client.create_log_stream(logGroupName="/aws/lambda/shop-dev", logStreamName="s")
    at = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": at, "message": "it began\n"}, {"timestamp": at, "message": "\x1b[31mred\n"}]
    client.put_log_events(logGroupName="/aws/lambda/shop-dev", logStreamName="s", logEvents=events)


def test_the_runtime_log_is_printed_without_what_commands_a_terminal(logged: None) -> None:
    done = run("logs", "shop", "--runtime")
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert first.endswith("shop-dev  it began")
    assert second.endswith("shop-dev  red")


def test_the_runtime_log_as_lines_of_json(logged: None) -> None:
    told = [json.loads(line) for line in run("logs", "shop", "--runtime", "--json").stdout.splitlines()]
    assert [it["message"] for it in told] == ["it began", "\x1b[31mred"]


def test_nothing_was_logged(pipeline: SeenPipeline) -> None:
    pipeline.drop()
    done = run("logs", "shop", "--runtime")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "has logged nothing yet" in done.stderr


@pytest.mark.parametrize("options", [["--since", "yesterday", "--runtime"], ["--filter", "ERROR"], ["--json"]])
def test_options_that_make_no_sense_are_wrong_usage(pipeline: SeenPipeline, options: list[str]) -> None:
    assert run("logs", "shop", *options).exit_code == 2


# ------------------------------------------------------------------------------------------------------- completion


def test_names_and_stages_complete_from_the_bucket(pipeline: SeenPipeline) -> None:
    for stage, name in (("dev", "shop"), ("prod", "shopfront"), ("dev", "blog")):
        pipeline.drop(App(stage, name))

    def completed(*words: str) -> set[str]:
        environ = {
            "_AUTO_LAMBDA_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("auto-lambda", *words)),
            "COMP_CWORD": str(len(words)),
        }
        return set(CliRunner().invoke(app, [], env=environ, prog_name="auto-lambda").stdout.split())

    assert completed("status", "sho") == {"shop", "shopfront"}
    assert completed("status", "--stage", "prod", "sho") == {"shopfront"}
    assert completed("logs", "--stage", "p") == {"prod"}


@pytest.mark.parametrize(
    ("shell", "more"), [("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})]
)  # fmt: skip
def test_other_shells_get_names_that_no_shell_could_run(
    pipeline: SeenPipeline, shell: str, more: dict[str, str]
) -> None:
    """zsh evaluates what it gets."""
    pipeline.drop(App("dev", "shop"))
    pipeline.s3.put_object(Bucket=BUCKET, Key="apps/dev/sh$(touch x)'\").zip", Body=b"")
    asked = {"_AUTO_LAMBDA_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "auto-lambda status sh", **more}
    told = CliRunner().invoke(app, [], env=asked, prog_name="auto-lambda").stdout
    assert "shop" in told
    assert "touch" not in told
    script = get_completion_script(prog_name="auto-lambda", complete_var="_AUTO_LAMBDA_COMPLETE", shell=shell)
    assert all(name in script for name in (f"_AUTO_LAMBDA_COMPLETE=complete_{shell}", "_TYPER_COMPLETE_ARGS", *more))


def test_completion_is_silent_without_a_pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("AUTO_LAMBDA_UPLOADS_BUCKET", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    environ = {"_AUTO_LAMBDA_COMPLETE": "complete_bash", "COMP_WORDS": "auto-lambda status s", "COMP_CWORD": "2"}
    done = CliRunner().invoke(app, [], env=environ, prog_name="auto-lambda")
    assert (done.stdout.strip(), done.stderr) == ("", "")
