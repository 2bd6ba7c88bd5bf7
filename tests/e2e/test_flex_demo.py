"""The demo of flex with its fast clock, and an app behind a load balancer that stays, on one local stack."""

from __future__ import annotations

import io
import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pytest
import urllib3
from e2e_stack import AUTO_LAMBDA, small_zappa, until
from everything import BALANCED_ZAPPA
from rich.console import Console

from auto_lambda.keys import App
from auto_lambda_cli.local_stack import flex_demo
from auto_lambda_cli.local_stack.dns import records_of
from auto_lambda_cli.local_stack.flex_demo import DOMAIN, FLEX, FlexDemo, balancer_of
from auto_lambda_cli.local_stack.stack import LocalStack

IMAGE = f"public.ecr.aws/lambda/python@sha256:{'d' * 64}"
QUERY = "c=1&c=%C3%A9+x"
BALANCED = App("dev", "balanced")
WHO = """
import os

def app(environ, start_response):
    status = "404 Not Found" if environ["PATH_INFO"].startswith("/.auto-lambda") else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    front = "fargate" if "ECS_CONTAINER_METADATA_URI_V4" in os.environ else "lambda"
    return [f"{front} {environ['PATH_INFO']} {environ.get('QUERY_STRING', '')}".encode()]
"""


@dataclass
class Shown:
    """A demo, and what it says."""

    demo: FlexDemo
    text: io.StringIO


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder, text = tmp_path_factory.mktemp("flex"), io.StringIO()
    settings = {"AUTO_LAMBDA_SLOTS": "2", "AUTO_LAMBDA_FLEX_IMAGE": IMAGE}
    with LocalStack.start(folder, app_rights="granted", domain=DOMAIN, settings=settings) as stack:
        demo = FlexDemo(stack, Console(file=text, width=200, highlight=False), flex_demo.PATIENCE, folder)
        assert demo.prepare(), text.getvalue()
        yield Shown(demo, text)


@pytest.mark.timeout(600)
def test_an_app_moves_to_fargate_and_back_under_steady_load_and_no_request_fails(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = shown.demo
    monkeypatch.setattr(flex_demo, "CALM", 2)
    monkeypatch.setattr(flex_demo, "HELD", 4)
    good = demo.move(1)
    assert demo.report() == 0, shown.text.getvalue()
    told = shown.text.getvalue()
    assert good, told
    assert "they are replaced" in told, "a drop while tasks serve"
    assert re.search(r"^0 failed requests of [\d,]{3,}$", told, re.MULTILINE), told
    phases = [key for key, _ in groupby(one.phase for one in demo.seconds)]
    assert phases == ["lambda", "both", "fargate", "both", "lambda"]
    assert demo.seconds[-1].tasks == 0
    assert set(demo.first) == {"/quotes", "/openapi.json", "/docs"}, "both fronts answered them alike"
    assert b'"openapi"' in demo.first["/openapi.json"]


@dataclass
class Balanced:
    """An app behind a load balancer of its own that stays, and clients that ask it all the time."""

    demo: FlexDemo
    answers: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def drop(self, folder: Path) -> None:
        folder.mkdir()
        for name, content in {**small_zappa(**BALANCED_ZAPPA), "app.py": WHO, "auto-lambda.toml": ""}.items():
            (folder / name).write_text(str(content))
        receipt = self.demo.followed(self.demo.drop(BALANCED, folder, FLEX))
        assert receipt.status == "live", receipt

    @property
    def url(self) -> str:
        zone = self.demo.client("route53").list_resource_record_sets(HostedZoneId=self.demo.zone)
        (record,) = records_of(f"balanced-dev.{DOMAIN}", zone["ResourceRecordSets"])
        return f"{self.demo.stack.aws.endpoint}/_alb/{balancer_of(record.target)}"

    def ask(self, url: str) -> None:
        try:
            answer = urllib3.request("GET", f"{url}/a/b?{QUERY}", retries=False, timeout=20)
        except urllib3.exceptions.HTTPError as error:
            self.failed.append(repr(error))
            return
        front, _, rest = answer.data.decode(errors="replace").partition(" ")
        cookies = set(answer.headers.getlist("Set-Cookie"))  # zappa sends each one several times
        if (answer.status, rest, cookies) != (200, f"/a/b {QUERY}", {"a=1", "b=2"}):
            self.failed.append(f"{answer.status} {answer.headers} {answer.data[:200]!r}")
        self.answers[front] += 1

    @contextmanager
    def steadily(self) -> Iterator[None]:
        """Ask ten times a second, and tick now and then, as the schedule does once a minute."""
        url, stop = self.url, threading.Event()

        def ask_forever() -> None:
            while not stop.wait(0.1):
                self.ask(url)

        def tick_forever() -> None:
            while not stop.wait(flex_demo.TICK):
                self.demo.tick()

        threads = [threading.Thread(target=one) for one in (ask_forever, tick_forever)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def go(self, mode: str) -> str:
        environ = self.demo.stack.pipeline.environ_over(os.environ)
        done = subprocess.run(
            [AUTO_LAMBDA, "flex", mode, "balanced"],
            env=environ, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def answered_by(self, front: str) -> bool:
        """Tell whether it alone has answered the next ten requests."""
        before = self.answers.copy()
        until(lambda: (self.answers - before).total() >= 10, 30)
        return set(self.answers - before) == {front}


@pytest.mark.timeout(500)
def test_a_load_balancer_that_stays_moves_the_traffic_at_once_between_function_and_tasks(
    shown: Shown, tmp_path: Path
) -> None:
    app = Balanced(shown.demo)
    app.drop(tmp_path / "balanced")
    with app.steadily():
        assert app.answered_by("lambda")
        url = app.url
        assert "fargate, 100 % of the traffic on Fargate" in app.go("up")
        assert app.answered_by("fargate")
        assert app.url == url, "DNS moves nothing"
        assert "kept on Lambda by hand" in app.go("down")
        assert app.answered_by("lambda")
    assert app.failed == []
    assert app.url == url, "the load balancer stays"
    assert not shown.demo.client("ecs").list_clusters()["clusterArns"]
