"""``auto-lambda flex``: where apps are, why, and moving one by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from fake_credentials import set_credentials
from moto import mock_aws
from typer.testing import CliRunner, Result

from auto_lambda_cli import flex
from auto_lambda_cli.app import app

ROW: dict[str, Any] = {
    "app": "shop", "stage": "dev", "domain": "shop.example.com", "phase": "lambda", "mode": "auto",
    "weights": {"lambda": 100, "fargate": 0}, "tasks": {"healthy": 0, "running": 0, "desired": 0, "min": 1, "max": 4},
    "next": None, "why": "demand is not high", "stuck": False,
}  # fmt: skip
TEMPLATE = {
    "Parameters": {name: {"Type": "String", "Default": value} for name, value in (
        ("Phase", "lambda"), ("FargateWeight", "0"), ("Mode", "auto"))},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {
        "DisplayName": {"Fn::Sub": "${Phase} ${FargateWeight} ${Mode}"}}}},
}  # fmt: skip
STACK = "al-Flex-shop-dev"


class Api:
    """The controller's API: it gives one answer after the other, and the last one for ever."""

    def __init__(self) -> None:
        self.status = 200
        self.answers: list[list[dict[str, Any]]] = [[ROW]]
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    made = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(f"{self.path} {self.headers['Authorization']}")
            rows = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            body = json.dumps({"apps": rows}).encode()
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    set_credentials(monkeypatch)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(flex, "_PAUSE", 0.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, mock_aws():
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}/api/"
        boto3.client("s3", "us-east-1").create_bucket(Bucket="uploads")
        live(made.url)
        boto3.client("cloudformation", "us-east-1").create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (("Phase", "lambda"), ("FargateWeight", "0"), ("Mode", "auto"))
            ],
        )
        yield made
        server.shutdown()


def live(url: str | None) -> None:
    receipt = {"schema": 1, "app": "flex-controller", "stage": "platform", "status": "live", "url": url}
    key = "apps/platform/flex-controller.receipt.json"
    boto3.client("s3", "us-east-1").put_object(Bucket="uploads", Key=key, Body=json.dumps(receipt))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["flex", *arguments, "--bucket", "uploads"])


def parameters() -> dict[str, str]:
    (told,) = boto3.client("cloudformation", "us-east-1").describe_stacks(StackName=STACK)["Stacks"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in told["Parameters"]}


def going(phase: str, weight: int, mode: str, why: str, **more: Any) -> list[dict[str, Any]]:
    return [{**ROW, "phase": phase, "weights": {"lambda": 100 - weight, "fargate": weight}, "mode": mode, "why": why,
             **more}]  # fmt: skip


def test_each_app_has_a_line_with_the_reason_and_the_request_is_signed(api: Api) -> None:
    (other,) = going("both", 100, "up", "clients may still hold the old record", next="2026-11-29T12:00:00+00:00")
    api.answers = [[ROW, {**other, "app": "blog", "tasks": {**ROW["tasks"], "healthy": 2, "desired": 3}}]]
    told = run("status")
    assert told.exit_code == 0, told.output
    header, shop, blog = told.stdout.splitlines()
    assert header.split() == ["app", "phase", "on", "Fargate", "tasks", "mode", "why"]
    assert shop.split() == ["dev/shop", "lambda", "0", "%", "0/0", "auto", "demand", "is", "not", "high"]
    assert blog.split()[:6] == ["dev/blog", "both", "100", "%", "2/3", "up"]
    assert "not before 2026-11-29T12:00:00+00:00" in blog
    assert api.asked[0].startswith("/api/stack-status AWS4-HMAC-SHA256")


def test_one_app_can_be_chosen_and_json_is_what_the_controller_said(api: Api) -> None:
    api.answers = [[ROW, {**ROW, "app": "blog"}]]
    told = run("status", "shop", "--json")
    assert (told.exit_code, json.loads(told.stdout)) == (0, {"apps": [ROW]})


def test_a_stuck_app_is_exit_code_1_and_says_so(api: Api) -> None:
    api.answers = [[{**ROW, "stuck": True}, {"app": "odd", "stage": "dev", "phase": "not known", "why": "odd",
                                              "stuck": True, "next": None}]]  # fmt: skip
    told = run("status")
    assert (told.exit_code, told.stdout.count("STUCK: ")) == (1, 2)


def test_without_apps_it_says_what_makes_one(api: Api) -> None:
    api.answers = [[]]
    told = run("status")
    assert (told.exit_code, "a section [flex]" in told.output) == (0, True)


@pytest.mark.parametrize("command", ["status", "up", "down", "pause", "auto"])
def test_an_app_without_a_flex_stack_is_told_to_add_the_section(api: Api, command: str) -> None:
    told = run(command, "blog")
    assert told.exit_code == 2
    assert "dev/blog does not flex: add a section [flex]" in told.output


@pytest.mark.parametrize("command", ["status", "up", "down", "pause", "auto"])
def test_without_a_controller_nothing_is_changed_and_it_says_how_to_install_one(api: Api, command: str) -> None:
    live(None)
    told = run(command, "shop")
    assert told.exit_code == 2
    assert "apps/flex_controller/README.md" in told.output
    assert parameters()["Mode"] == "auto"


def test_without_the_right_to_ask_it_says_so(api: Api) -> None:
    api.status = 403
    told = run("status")
    assert (told.exit_code, "the flex controller answers 403" in told.output) == (2, True)


def test_up_sets_one_parameter_and_follows_until_it_is_there(api: Api) -> None:
    api.answers = [
        [ROW],  # the controller has not looked yet
        going("lambda", 0, "up", "asked for by hand: tasks come up"),
        going("both", 0, "up", "0 of 1 tasks are healthy: no traffic moves"),
        going("both", 0, "up", "0 of 1 tasks are healthy: no traffic moves"),
        going("both", 100, "up", "clients may still hold the old record"),
        going("fargate", 100, "up", "kept on Fargate by hand"),
    ]
    told = run("up", "shop")
    assert told.exit_code == 0, told.output
    assert parameters() == {"Phase": "lambda", "FargateWeight": "0", "Mode": "up"}
    assert told.stdout.splitlines() == [
        "lambda, 0 % of the traffic on Fargate: asked for by hand: tasks come up",
        "both, 0 % of the traffic on Fargate: 0 of 1 tasks are healthy: no traffic moves",
        "both, 100 % of the traffic on Fargate: clients may still hold the old record",
        "fargate, 100 % of the traffic on Fargate: kept on Fargate by hand",
    ]


def test_down_is_done_when_it_is_on_lambda_and_json_is_the_last_word(api: Api) -> None:
    api.answers = [
        going("fargate", 100, "down", "asked for by hand"),
        going("lambda", 0, "down", "CloudFormation is at work", status="UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        going("lambda", 0, "down", "kept on Lambda by hand", status="UPDATE_COMPLETE"),
    ]
    told = run("down", "shop", "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout)["why"] == "kept on Lambda by hand"
    assert "asked for by hand" in told.stderr


def test_one_that_gets_stuck_is_exit_code_1_with_the_reason(api: Api) -> None:
    api.answers = [going("both", 0, "up", "0 of 1 tasks are healthy: no traffic moves", stuck=True)]
    told = run("up", "shop")
    assert (told.exit_code, "dev/shop: STUCK: 0 of 1 tasks are healthy" in told.output) == (1, True)


def test_who_does_not_wait_for_ever_is_told_how_to_look_later(api: Api) -> None:
    api.answers = [going("both", 0, "up", "0 of 1 tasks are healthy: no traffic moves")]
    told = run("up", "shop", "--timeout", "1")
    assert (told.exit_code, "auto-lambda flex status shop --stage dev" in told.output) == (3, True)


def test_ctrl_c_ends_the_waiting_only(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(flex.Steering, "follow", interrupted)
    told = run("up", "shop")
    assert told.exit_code == 130
    assert "the controller goes on" in told.output
    assert parameters()["Mode"] == "up"


@pytest.mark.parametrize("mode", ["pause", "auto", "up"])
def test_a_mode_that_is_set_already_is_not_set_again(api: Api, mode: str) -> None:
    wait = ["--no-wait"] if mode == "up" else []
    assert f"dev/shop: {mode}" in run(mode, "shop", *wait).output
    assert parameters()["Mode"] == mode
    again = run(mode, "shop", "--json", *wait)
    assert f"dev/shop: {mode} already" in again.stderr
    assert json.loads(again.stdout) == {"app": "shop", "stage": "dev", "mode": mode, "changed": False}
    assert api.asked == [], "nobody waits"
