"""Drops are told outside, through the account's bus: to a queue, by mail, in a channel, as the status of a commit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from action import Ended, run_action
from e2e_stack import AUTO_LAMBDA, ROOT, Files, Stack, make_zip, small_chalice, until
from event_bus import checked

SHA = "9f2c1a7b" * 5
GITHUB = {"sha": SHA, "repository": "acme/shop"}


@dataclass
class Outside:
    """Slack, GitHub and the queues of whoever wants to know."""

    stack: Stack
    queue: str
    mail: str
    posts: list[tuple[str, str | None, Any]] = field(default_factory=list)
    seen: dict[str, list[Any]] = field(default_factory=dict)

    def _received(self, queue: str) -> list[Any]:
        answer = self.stack.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        seen = self.seen.setdefault(queue, [])
        for message in answer.get("Messages", ()):
            seen.append(json.loads(message["Body"]))
            self.stack.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return seen

    def event(self, app: str) -> Any:
        """The event about an app, once it has come through the rule."""
        return until(lambda: next((it for it in self._received(self.queue) if it["detail"]["app"] == app), None), 30)

    def mailed(self, app: str) -> str:
        """What the mail's topic has got about an app."""
        return until(lambda: next((text for text in self._mails() if app in text), None), 30)

    def _mails(self) -> list[str]:
        return [str(it["Message"]) for it in self._received(self.mail)]

    def posted(self, path: str, wanted: Callable[[Any], bool]) -> tuple[str | None, Any]:
        """The credentials and the body of a request that came to a path."""
        return until(
            lambda: next(((auth, body) for where, auth, body in self.posts if where == path and wanted(body)), None), 30
        )


@pytest.fixture(scope="module")
def outside(started: Stack) -> Iterator[Outside]:
    sqs = started.sqs
    queues = {name: sqs.create_queue(QueueName=f"told-{name}")["QueueUrl"] for name in ("all", "mail")}
    arns = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for name, url in queues.items()
    }
    told = Outside(started, queues["all"], queues["mail"])

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.posts.append((self.path, self.headers.get("Authorization"), body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    events = started.client("events")
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["auto-lambda"]}))
    events.put_targets(Rule="told", Targets=[{"Id": "queue", "Arn": arns["all"]}])
    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        topic = put_up(started, "mail", Email="ana@acme.example")["Topic"]
        started.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["mail"])
        put_up(started, "slack", WebhookSecretArn=secret(started, "webhook", f"{here}/slack"))
        token = secret(started, "token", "t0ken")
        put_up(started, "commit-status", TokenSecretArn=token, Repositories="acme/shop", ApiUrl=here)
        yield told
        server.shutdown()


def secret(stack: Stack, name: str, value: str) -> str:
    return str(stack.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"])


def put_up(stack: Stack, name: str, **parameters: str) -> dict[str, str]:
    """Deploy one of the templates that we ship, and return its outputs."""
    cloudformation = stack.client("cloudformation")
    cloudformation.create_stack(
        StackName=f"notify-{name}",
        TemplateBody=(ROOT / f"infra/notify/{name}.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=f"notify-{name}", WaiterConfig={"Delay": 1})
    (found,) = cloudformation.describe_stacks(StackName=f"notify-{name}")["Stacks"]
    return {it["OutputKey"]: it["OutputValue"] for it in found.get("Outputs", ())}


def act(stack: Stack, folder: Path, files: Files, **inputs: str) -> Ended:
    """Run the GitHub Action on a zip of these files."""
    (folder / "app.zip").write_bytes(make_zip(files))
    chosen = {"bucket": stack.bucket, "command": str(AUTO_LAMBDA), "path": "app.zip", **inputs}
    return run_action(folder, chosen, environ={**os.environ, **stack.ready["environ"]}, github=GITHUB)


def test_a_drop_that_goes_live_is_told_everywhere(stack: Stack, outside: Outside, tmp_path: Path) -> None:
    ended = act(stack, tmp_path, small_chalice(), name="told-live")
    assert (ended.code, ended.outputs["status"]) == (0, "live"), ended.stderr
    assert stack.http(ended.outputs["url"]).json == {"hello": "world"}
    receipt = json.loads(Path(ended.outputs["receipt"]).read_text())
    assert (receipt["commit"], receipt["repository"]) == (SHA, "acme/shop")

    event = outside.event("told-live")
    detail = checked(json.dumps(event["detail"]))
    assert (event["source"], event["detail-type"], detail["outcome"]) == ("auto-lambda", "App Live", "live")
    shared = set(detail) & set(receipt) - {"upload", "log"}
    assert {name: detail[name] for name in shared} == {name: receipt[name] for name in shared}
    assert stack.get_json(detail["receipt"]["bucket"], detail["receipt"]["key"]) == receipt

    _, text = outside.posted("/slack", lambda body: "told-live" in body["text"])
    assert ended.outputs["url"] in text["text"]
    token, status = outside.posted(f"/repos/acme/shop/statuses/{SHA}", lambda body: "told-live" in body["context"])
    assert (token, status["state"], status["context"]) == ("Bearer t0ken", "success", "auto-lambda/dev/told-live")
    assert status["target_url"] == ended.outputs["url"]


def test_a_drop_that_fails_is_mailed_too(stack: Stack, outside: Outside, tmp_path: Path) -> None:
    ended = act(stack, tmp_path, {"readme.txt": "no app"}, name="told-failed")
    assert (ended.code, ended.outputs["status"], ended.outputs["code"]) == (1, "failed", "no-framework")
    assert "::error title=no-framework::" in ended.stdout

    event = outside.event("told-failed")
    assert (event["detail-type"], event["detail"]["error"]["code"]) == ("App Failed", "no-framework")
    assert "App Failed: dev/told-failed no-framework" in outside.mailed("told-failed")
    _, status = outside.posted(f"/repos/acme/shop/statuses/{SHA}", lambda body: "told-failed" in body["context"])
    assert status["state"] == "failure"
