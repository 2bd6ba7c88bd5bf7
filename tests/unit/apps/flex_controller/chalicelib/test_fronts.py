"""Asking a load balancer under its own name, and what AWS says of tasks and alarms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from flex_controller.chalicelib.fronts import HEALTH, Fronts, ask
from flex_world import observed

GROUP, SERVICE = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/1", "c/s"


@contextmanager
def serving(status: int) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("status", [200, 503, 301, 404])
def test_only_a_healthy_answer_is_one(status: int) -> None:
    with serving(status) as (url, asked):
        trouble = ask(f"{url}/_alb/shop/", "shop.example.com")
        assert trouble == ("" if status == 200 else f"{status} for {HEALTH}")
        assert asked == [f"/_alb/shop{HEALTH}"]


def test_what_cannot_be_reached_or_speaks_no_tls_does_not_answer() -> None:
    with serving(200) as (url, _):
        assert "SSL" in ask(url.replace("http:", "https:"), "shop.example.com")
    assert "refused" in ask(url, "shop.example.com")


class Aws:
    """Answers as ELB, ECS and CloudWatch do, or refuses."""

    def __init__(self, refusal: str = "", **answers: Any) -> None:
        self.refusal = refusal
        self.answers = answers

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            if self.refusal:
                raise ClientError({"Error": {"Code": self.refusal, "Message": "a test"}}, name)
            return self.answers[name]

        return call


def flex(**outputs: str) -> Any:
    return SimpleNamespace(outputs=outputs, name=observed().flex.name)


def test_healthy_targets_are_counted_and_ecs_is_quoted_while_tasks_are_missing() -> None:
    states = ["healthy", "healthy", "initial", "draining", "unhealthy"]
    elbv2 = Aws(
        describe_target_health={"TargetHealthDescriptions": [{"TargetHealth": {"State": one}} for one in states]}
    )
    events = [{"message": "was unable to place a task"}, {"message": "older"}]
    for running, said in ((2, "was unable to place a task"), (3, "")):
        told = {"services": [{"runningCount": running, "desiredCount": 3, "events": events}]}
        tasks = Fronts(elbv2, Aws(describe_services=told), Aws()).tasks(flex(TargetGroupArn=GROUP), SERVICE)
        assert (tasks.healthy, tasks.running, tasks.desired, tasks.said) == (2, running, 3, said)


def test_what_is_gone_has_no_tasks() -> None:
    fronts = Fronts(Aws("TargetGroupNotFound"), Aws("ClusterNotFoundException"), Aws())
    tasks = fronts.tasks(flex(TargetGroupArn=GROUP), SERVICE)
    assert (tasks.healthy, tasks.running, tasks.desired) == (0, 0, 0)
    assert Fronts(Aws(), Aws(describe_services={"services": []}), Aws()).tasks(flex(), "").healthy == 0


def test_what_is_denied_is_not_taken_for_gone() -> None:
    with pytest.raises(ClientError):
        Fronts(Aws("AccessDenied"), Aws(), Aws()).tasks(flex(TargetGroupArn=GROUP), "")
    with pytest.raises(ClientError):
        Fronts(Aws(), Aws("AccessDenied"), Aws()).tasks(flex(), SERVICE)


def test_alarms_that_do_not_exist_are_missing_and_none_is_asked_for_without_a_name() -> None:
    cloudwatch = Aws(describe_alarms={"MetricAlarms": [{"AlarmName": "a", "StateValue": "ALARM"}]})
    assert Fronts(Aws(), Aws(), cloudwatch).alarms("a", "b") == {"a": "ALARM"}
    assert Fronts(Aws(), Aws(), Aws("AccessDenied")).alarms("", "") == {}


def test_without_a_load_balancer_nobody_is_asked() -> None:
    asked: list[str] = []

    def answering(url: str, domain: str) -> str:
        asked.append(f"{url} {domain}")
        return ""

    fronts = Fronts(Aws(), Aws(), Aws(), ask_=answering)
    assert fronts.trouble(flex(Domain="shop.example.com")) == "there is none"
    assert fronts.trouble(flex(Domain="shop.example.com", LoadBalancerUrl="https://alb")) == ""
    assert asked == ["https://alb shop.example.com"]


def test_an_emulator_s_load_balancers_are_elsewhere() -> None:
    asked: list[str] = []

    def answering(url: str, domain: str) -> str:
        asked.append(url)
        return ""

    fronts = Fronts(Aws(), Aws(), Aws(), "http://127.0.0.1:4566", answering)
    assert fronts.trouble(flex(Domain="shop.example.com")) == "there is none"
    fronts.trouble(flex(Domain="d", LoadBalancerUrl="https://alb", LoadBalancer="app/al-Fl-1/50dc6c495c0c9188"))
    assert asked == ["http://127.0.0.1:4566/_alb/al-Fl-1"]
