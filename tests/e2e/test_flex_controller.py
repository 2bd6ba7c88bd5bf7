"""The flex controller, dropped like any other app, moves an app as its alarms say; the commands show it and steer it.

Of the app only its flex stack is here, with a server in the place of its tasks: the demo has everything.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from e2e_stack import AUTO_LAMBDA, ROOT, Stack, make_zip, read_folder, until
from flex_stack import SETTINGS, FlexApp

APP = ROOT / "apps" / "flex_controller"
FAST = {**SETTINGS, "ttl": 1, "cool_down": 1}


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/.auto-lambda/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Controller:
    """The controller in a stack, and one app that flexes."""

    stack: Stack
    app: FlexApp
    topic: str
    url: str
    port: int

    def tick(self) -> None:
        self.stack.client("sns").publish(TopicArn=self.topic, Message='{"kind": "tick"}')

    def reaches(self, phase: str, weight: int) -> None:
        def there() -> bool:
            self.app.demand(self.app.wanted)
            self.tick()
            return self.app.at() == (phase, weight)

        until(there, 40, lambda: f"is not at {phase}, {weight}: {self.cli('status').stdout}")

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AUTO_LAMBDA, "flex", *arguments],
            env=self.stack.environ, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    def row(self) -> Any:
        told = self.cli("status", self.app.name, "--json")
        assert told.stdout, told.stderr
        return json.loads(told.stdout)["apps"][0]


@pytest.fixture(scope="module")
def controller(granted_stack: Stack) -> Iterator[Controller]:
    stack = granted_stack
    cloudformation = stack.client("cloudformation")
    cloudformation.create_stack(
        StackName="flex-controller-setup",
        TemplateBody=(APP / "setup.yaml").read_text(),
        Parameters=[{"ParameterKey": "HostedZoneIds", "ParameterValue": "Z1"}],
    )
    outputs = cloudformation.describe_stacks(StackName="flex-controller-setup")["Stacks"][0]["Outputs"]
    topic = next(one["OutputValue"] for one in outputs if one["OutputKey"] == "TopicArn")
    key = "platform/flex-controller"
    refused = stack.final(stack.drop(key, make_zip(read_folder(APP))))
    assert refused["error"]["code"] == "rights-not-granted"
    grants = ["grants", "set", "flex-controller", "--stage", "platform", "--from", str(APP / "grants.json")]
    subprocess.run([AUTO_LAMBDA, *grants], env=stack.environ, check=True, capture_output=True, timeout=60)
    receipt = stack.live(stack.drop(key, make_zip(read_folder(APP))))
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        app = FlexApp(stack.client, "flexing", FAST).make()
        yield Controller(stack, app, topic, receipt["url"], server.server_port)
        app.delete()
        server.shutdown()


def test_an_alarm_begins_the_move_and_the_traffic_follows_once_a_task_is_healthy(controller: Controller) -> None:
    app = controller.app
    app.demand("high")
    until(lambda: app.at() == ("both", 0), 40, lambda: "the alarm moved nothing")
    controller.tick()
    row = controller.row()
    assert "0 of 1 tasks are healthy: no traffic moves" in row["why"]
    assert app.weights() == {"lambda": 100, "fargate": 0}
    group = next(one["OutputValue"] for one in app.described()["Outputs"] if one["OutputKey"] == "TargetGroupArn")
    app.clients["elbv2"].register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": controller.port}])
    controller.reaches("fargate", 100)
    assert app.weights() == {"lambda": 0, "fargate": 100}


def test_a_person_takes_it_down_and_watches(controller: Controller) -> None:
    stop = threading.Event()

    def ticking() -> None:
        while not stop.wait(1):
            controller.tick()

    clock = threading.Thread(target=ticking)
    clock.start()
    try:
        done = controller.cli("down", controller.app.name)
    finally:
        stop.set()
        clock.join()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept on Lambda by hand" in done.stdout
    assert controller.app.at() == ("lambda", 0)
    assert "TargetGroup" not in controller.app.resources()


def test_strangers_see_neither_the_status_nor_the_page(controller: Controller) -> None:
    for path in ("", "stack-status"):
        assert controller.stack.http(controller.url + path).status == 403
