"""The triggers: each is checked and comes down to one hint on the topic, and everything on the topic is a hint."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import plain_chalice
import pytest
from fake_credentials import set_credentials

APP = Path(__file__).parents[4] / "apps" / "ecs_updater"
HUB = {
    "push_data": {"tag": "1.1.0"},
    "repository": {"repo_name": "acme/shop"},
    "callback_url": "https://example.com/u/",
}
SETTINGS = {
    "AWS_DEFAULT_REGION": "us-east-1", "CLUSTERS": "shop", "TOPIC": "ecs-updater-platform_hints",
    "NAMESPACE": "auto-lambda/platform/ecs-updater", "SECRETS": "/auto-lambda/platform/ecs-updater",
}  # fmt: skip


@dataclass
class Aws:
    """Remembers what was published, and has one secret."""

    published: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, **message: Any) -> None:
        self.published.append(message)

    def get_paginator(self, _: str) -> Aws:
        return self

    def paginate(self, *, Path: str, **_: Any) -> list[dict[str, Any]]:  # noqa: N803
        return [{"Parameters": [{"Name": f"{Path}/hook-token", "Value": "t0ken"}]}]

    @property
    def hints(self) -> list[dict[str, Any]]:
        return [json.loads(one["Message"]) for one in self.published]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The app, imported as on Lambda: its folder is the top."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(APP))
    monkeypatch.setitem(sys.modules, "chalice", plain_chalice.module())
    spec = importlib.util.spec_from_file_location("ecs_updater_app", APP / "app.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    yield loaded
    for name in [name for name in sys.modules if name.partition(".")[0] == "chalicelib"]:
        del sys.modules[name]


@pytest.fixture
def aws(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(module, "_client", lambda *_: made)
    return made


CONTEXT = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:tick:live")
TOPIC = "arn:aws:sns:us-east-1:123456789012:ecs-updater-platform_hints"


def post(module: ModuleType, route: str, told: Any, *arguments: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    module.app.current_request = SimpleNamespace(raw_body=json.dumps(told).encode(), headers=named)
    module.app.lambda_context = CONTEXT
    return int(module.app.routes[f"POST {route}"].call(*arguments).status_code)


def event(**detail: str) -> Any:
    return SimpleNamespace(context=CONTEXT, detail=detail)


def test_a_webhook_that_is_believed_is_one_hint_on_the_account_s_own_topic(module: ModuleType, aws: Aws) -> None:
    assert post(module, "/hooks/docker-hub/{token}", HUB, "t0ken") == 202
    assert aws.hints == [{"kind": "push", "source": "docker-hub", "image": "acme/shop:1.1.0"}]
    assert aws.published[0]["TopicArn"] == TOPIC


def test_one_that_is_not_believed_is_none_and_the_log_does_not_repeat_it(
    module: ModuleType, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(module, "/hooks/docker-hub/{token}", HUB, "gu3ss") == 404
    assert post(module, "/hooks/push", {}, authorization="Bearer gu3ss") == 401
    assert post(module, "/hooks/github", {}, x_hub_signature_256="sha256=gu3ss", x_github_event="package") == 401
    assert aws.published == []
    logged = capsys.readouterr().out
    assert logged.count("hook-refused") == 3
    assert "gu3ss" not in logged
    assert "acme" not in logged


def test_any_ci_is_a_hint(module: ModuleType, aws: Aws) -> None:
    assert post(module, "/hooks/push", {"image": "acme/shop:2"}, authorization="Bearer t0ken") == 202
    assert [hint["source"] for hint in aws.hints] == ["post"]


def test_the_clock_ecr_and_ecs_are_hints_too(module: ModuleType, aws: Aws) -> None:
    module.tick(event())
    module.pushed(event(**{"action-type": "PUSH", "repository-name": "shop", "image-tag": "2"}))
    module.deployed(event(eventName="SERVICE_DEPLOYMENT_FAILED"))
    assert [(hint["kind"], hint["source"], hint["image"]) for hint in aws.hints] == [
        ("tick", "schedule", ""),
        ("push", "ecr", "shop:2"),
        ("deployment", "ecs", "SERVICE_DEPLOYMENT_FAILED"),
    ]


def test_only_the_status_is_without_a_secret_of_its_own_and_iam_guards_it(module: ModuleType) -> None:
    open_to_all = {route for route, kept in module.app.routes.items() if kept.authorizer is None}
    assert open_to_all == {"POST /hooks/docker-hub/{token}", "POST /hooks/github", "POST /hooks/push"}
    assert module.app.routes["GET /status"].authorizer == "iam"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('{"kind": "push", "source": "post", "image": "a"}', "push"),
        ('{"AlarmName": "deep", "NewStateValue": "ALARM"}', "alarm"),
        ("not json", ""),
        ("[1]", ""),
        pytest.param("[" * 30_000, "", id="deep"),
        ('{"kind": {"a": 1}}', "{'a': 1}"),
    ],
)
def test_everything_on_the_topic_starts_a_convergence_whatever_it_says(
    module: ModuleType, aws: Aws, monkeypatch: pytest.MonkeyPatch, message: str, kind: str
) -> None:
    runs: list[Any] = []
    monkeypatch.setattr(module, "_ecs", lambda: None)
    monkeypatch.setattr(module.Convergence, "run", lambda self, clusters, families: runs.append(clusters))
    module.converge(SimpleNamespace(message=message))
    assert runs == [["shop"]]
    assert module._read(message)["kind"] == kind


def test_hints_that_are_lost_or_come_in_another_order_make_no_difference(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Any] = []
    forgotten: list[bool] = []
    monkeypatch.setattr(module, "_ecs", lambda: None)
    monkeypatch.setattr(module, "_remembered", lambda: SimpleNamespace(forget=lambda: forgotten.append(True)))
    monkeypatch.setattr(module.Convergence, "run", lambda self, *asked: runs.append(asked))
    newer, older = ({"kind": "push", "source": "post", "image": f"acme/shop:1.{minor}.0"} for minor in (1, 0))
    for hint in (newer, older, {"kind": "tick", "source": "schedule", "image": ""}):
        module.converge(SimpleNamespace(message=json.dumps(hint)))
    assert runs == [(["shop"], [])] * 3, "no tag of a hint is handed on: what the registry has counts"
    assert len(forgotten) == 2, "only a push makes it ask the registries before their time"


def test_a_client_asks_again_while_aws_throttles_it(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Throttling(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["X-Amz-Target"].rpartition(".")[2])
            self.rfile.read(int(self.headers["Content-Length"]))
            throttled = len(asked) <= 4
            body = b'{"__type": "ThrottlingException", "message": "slow down"}' if throttled else b'{"clusterArns": []}'
            self.send_response(400 if throttled else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    set_credentials(monkeypatch)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Throttling) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        client = module._client("ecs")
        assert client.list_clusters()["clusterArns"] == []
        server.shutdown()
    assert asked == ["ListClusters"] * 5
    assert client.meta.config.retries == {"mode": "adaptive", "total_max_attempts": 7}, (
        "adaptive: all its calls slow down"
    )
