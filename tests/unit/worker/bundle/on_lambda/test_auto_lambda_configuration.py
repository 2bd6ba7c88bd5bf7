"""What runs in a function before the app: it reads the configuration, and hands over."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from worker.bundle.on_lambda import auto_lambda_configuration as loader

ENVIRON = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "token",
}
PATH = "/auto-lambda/dev/shop/config"


@dataclass
class FakeParameterStore:
    """Answers with one page after the other; ``asked`` is what it was asked."""

    answers: list[tuple[int, Any]]
    asked: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def parameter_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeParameterStore]:
    store = FakeParameterStore([])
    monkeypatch.setattr("time.sleep", lambda _: None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            store.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            store.headers.append(dict(self.headers))
            status, answer = store.answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


def page(token: str | None = None, **values: str) -> tuple[int, Any]:
    parameters = [{"Name": f"{PATH}/{name}", "Value": value} for name, value in values.items()]
    return 200, {"Parameters": parameters, **({"NextToken": token} if token else {})}


def load(store: FakeParameterStore) -> dict[str, str]:
    return loader.load(PATH, {**ENVIRON, "AWS_ENDPOINT_URL": store.address})


def test_every_page_is_read_decrypted(parameter_store: FakeParameterStore) -> None:
    parameter_store.answers = [page("more", A="1", B="x=y"), page(C="3")]
    assert load(parameter_store) == {"A": "1", "B": "x=y", "C": "3"}
    asked = {"Path": PATH, "Recursive": False, "WithDecryption": True}
    assert parameter_store.asked == [asked, {**asked, "NextToken": "more"}]


def test_what_passes_is_tried_again(parameter_store: FakeParameterStore) -> None:
    parameter_store.answers = [(400, {"__type": "ThrottlingException"}), (500, {}), page(A="1")]
    assert load(parameter_store) == {"A": "1"}


@pytest.mark.parametrize(
    "answers", [[(400, {"__type": "AccessDeniedException"})], [(500, {})] * 3], ids=["refused", "broken"]
)
def test_without_its_configuration_the_app_does_not_start(
    parameter_store: FakeParameterStore, answers: list[Any]
) -> None:
    parameter_store.answers = list(answers)
    with pytest.raises(loader.ConfigurationUnreadable, match=PATH):
        load(parameter_store)
    assert parameter_store.answers == []


@pytest.mark.parametrize("token", ["token", ""])
def test_it_signs_as_botocore_does(token: str) -> None:
    body = b'{"Path": "/x"}'
    environ = {**ENVIRON, "AWS_SESSION_TOKEN": token}
    made = loader.signed(body, "ssm.eu-central-1.amazonaws.com", "eu-central-1", "20260102T030405Z", environ)
    headers = {name: value for name, value in made.items() if name not in ("authorization", "x-amz-security-token")}
    request: Any = AWSRequest("POST", "https://ssm.eu-central-1.amazonaws.com/", headers, body)
    request.context["timestamp"] = "20260102T030405Z"
    keys = Credentials(ENVIRON["AWS_ACCESS_KEY_ID"], ENVIRON["AWS_SECRET_ACCESS_KEY"], token or None)
    auth = SigV4Auth(keys, "ssm", "eu-central-1")
    if token:
        request.headers["X-Amz-Security-Token"] = token
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert made["authorization"].endswith(f"Signature={expected}")
    assert made.get("x-amz-security-token", "") == token


@pytest.fixture
def started(parameter_store: FakeParameterStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parameter_store.answers = [page(GREETING="configured")]
    (tmp_path / "its_app.py").write_text("import os\nSEEN = os.environ['GREETING']\ndef main(*_): return SEEN\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = {"AWS_ENDPOINT_URL": parameter_store.address, loader.PATH: PATH, loader.HANDLER: "its_app.main"}
    for name, value in {**ENVIRON, **told, "GREETING": "default", "_HANDLER": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "its_app", raising=False)


def test_the_app_sees_its_configuration_when_it_is_imported(started: None) -> None:
    assert loader.start()() == "configured"


def test_zappas_own_variables_do_not_replace_it(started: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("def lambda_handler(*_): pass\n")
    monkeypatch.setenv(loader.HANDLER, "handler.lambda_handler")
    monkeypatch.delitem(sys.modules, "handler", raising=False)
    settings: Any = ModuleType("zappa_settings")
    settings.ENVIRONMENT_VARIABLES = {"GREETING": "default", "OTHER": "kept"}
    monkeypatch.setitem(sys.modules, "zappa_settings", settings)
    loader.start()
    assert settings.ENVIRONMENT_VARIABLES == {"OTHER": "kept"}
