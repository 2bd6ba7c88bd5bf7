"""``auto-lambda ecs status``: a line for each service, and an exit code for scripts."""

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

from auto_lambda_cli.app import app

ROW = {
    "service": "shop/web", "definition": "web:1", "images": ["acme/shop:1.0.0", "proxy:3"],
    "wanted": ["acme/shop:1.1.0", "proxy:3"], "desired": 2, "running": 1, "behind": True,
    "why": "being deployed", "scaling": "steady",
}  # fmt: skip
SAME = {**ROW, "service": "shop/api", "wanted": ROW["images"], "running": 2, "behind": False, "why": "", "scaling": ""}


class Api:
    """The updater's API: it answers what it is told to, and remembers how it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, Any] = (200, {"services": [ROW, SAME], "problems": []})
        self.asked: list[Any] = []
        self.url = ""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    made = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers))
            status, told = made.answer
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    set_credentials(monkeypatch)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, mock_aws():
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}/api/"
        boto3.client("s3", "us-east-1").create_bucket(Bucket="uploads")
        yield made
        server.shutdown()


def live(url: str | None) -> None:
    receipt = {
        "schema": 1,
        "app": "ecs-updater",
        "stage": "platform",
        "status": "live" if url else "failed",
        "url": url,
    }
    key = "apps/platform/ecs-updater.receipt.json"
    boto3.client("s3", "us-east-1").put_object(Bucket="uploads", Key=key, Body=json.dumps(receipt))


def status(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ecs", "status", "--bucket", "uploads", *arguments])


def test_each_service_has_a_line_with_the_reason_and_the_request_is_signed(api: Api) -> None:
    live(api.url)
    told = status()
    assert told.exit_code == 1
    header, web, same = told.stdout.splitlines()
    assert header.split() == ["service", "tasks", "runs", "wanted", "why"]
    assert web.split() == [
        "shop/web",
        "1/2",
        "acme/shop:1.0.0",
        "proxy:3",
        "acme/shop:1.1.0",
        *["being", "deployed;", "steady"],
    ]
    assert same.split() == ["shop/api", "2/2", "acme/shop:1.0.0", "proxy:3", "the", "same"]
    path, headers = api.asked[0]
    assert path == "/api/status"
    assert "/execute-api/aws4_request" in headers["Authorization"]


def test_what_no_registry_has_said_yet_is_not_known(api: Api) -> None:
    live(api.url)
    late = {**SAME, "wanted": [], "why": "docker.io cannot be asked; later"}
    api.answer = (200, {"services": [late], "problems": []})
    told = status()
    assert (told.exit_code, "not known" in told.stdout) == (0, True)


def test_all_is_well_is_exit_code_0_and_json_is_what_the_updater_said(api: Api) -> None:
    live(api.url)
    api.answer = (200, {"services": [SAME], "problems": []})
    told = status("--json")
    assert (told.exit_code, json.loads(told.stdout)) == (0, api.answer[1])
    api.answer = (200, {"services": [], "problems": ["there is no cluster shop"]})
    problem = status()
    assert (problem.exit_code, "there is no cluster shop" in problem.output) == (1, True)


def test_without_an_updater_or_without_the_right_to_ask_it_says_so(api: Api) -> None:
    assert status().exit_code == 2
    live(None)
    assert "is not live" in status().output
    live(api.url)
    api.answer = (403, {"message": "Forbidden"})
    refused = status()
    assert (refused.exit_code, "answers 403" in refused.output) == (2, True)
