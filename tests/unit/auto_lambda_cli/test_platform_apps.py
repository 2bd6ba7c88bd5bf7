from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest

from auto_lambda_cli.platform_apps import NoStatus, ask

ASKED: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append((self.headers["Host"], self.path))
        assert "host" in self.headers["Authorization"]
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b'{"a":1}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    ASKED.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def session() -> boto3.Session:
    return boto3.Session("AKIDEXAMPLE", "secret", region_name="us-east-1")


def test_an_emulator_is_asked_for_a_name_that_no_dns_knows(endpoint: str, session: boto3.Session) -> None:
    assert ask("https://controller.apps.invalid/", "stack-status", "controller", session, endpoint) == {"a": 1}
    assert ASKED == [("controller.apps.invalid", "/stack-status")]


def test_an_api_of_the_emulator_is_asked_where_it_is(endpoint: str, session: boto3.Session) -> None:
    ask(f"{endpoint}/_aws/execute-api/abc/api/", "status", "controller", session, endpoint)
    assert [(endpoint.removeprefix("http://"), "/_aws/execute-api/abc/api/status")] == ASKED


def test_on_aws_the_name_itself_is_asked(session: boto3.Session) -> None:
    with pytest.raises(NoStatus, match=r"controller\.apps\.invalid"):
        ask("https://controller.apps.invalid/", "stack-status", "controller", session)
