"""A private index behind a proxy of the worker's own: a build gets its packages, and nothing that could open it."""

from __future__ import annotations

import http.server
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from building import isolating, open_index, quiet

from auto_lambda.index_settings import build_settings
from auto_lambda.tools import interpreters
from builder.sandbox.sandbox import Command, Limits
from worker.index.hosts import discover

SECRETS = ("s3cret-of-the-index", "s3cret-of-the-proxy")
PYTHON = next(iter(interpreters().values()))
# Looks through everything that a build can read of the machine and of itself, after it has used the index.
LOOK = """
import glob, json, os, sys, urllib.request
index = os.environ["UV_DEFAULT_INDEX"].partition("=")[2]
page = urllib.request.urlopen(index + "demo/", timeout=20).read()
wanted = [word[::-1].encode() for word in sys.argv[1:]]
found = set()
def look(data):
    found.update(word.decode() for word in wanted if word in data)
look(page)
look(json.dumps(dict(os.environ)).encode())
places = ["/proc/*/environ", "/proc/*/cmdline", "/proc/*/mountinfo", "/proc/net/*", "/etc/*", "/run/**", "/tmp/**",
          "/root/*", "/home/*", "**", os.environ["HOME"] + "/**"]
for path in {path for place in places for path in glob.glob(place, recursive=True, include_hidden=True)}:
    look(path.encode())
    if os.path.isfile(path):
        try:
            look(open(path, "rb").read(500_000))
        except OSError:
            pass
with open(f"/proc/{os.getppid()}/maps") as maps, open(f"/proc/{os.getppid()}/mem", "rb", 0) as memory:
    for span, rights, *rest in map(str.split, maps):
        start, end = (int(part, 16) for part in span.split("-"))
        if rights.startswith("rw") and end - start < 50_000_000:
            try:
                memory.seek(start)
                look(memory.read(end - start))
            except (OSError, OverflowError):
                pass
print("PAGE " + page.decode())
print("FOUND " + json.dumps(sorted(found)))
"""


class Gateway(http.server.BaseHTTPRequestHandler):
    """The proxy that the worker sits behind, and the index behind that."""

    asked: ClassVar[list[tuple[str, str | None, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"], self.headers["Proxy-Authorization"]))
        body = b'<a href="http://packages.invalid/files/demo-1.0.whl">demo</a>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway() -> Iterator[str]:
    Gateway.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://worker:{SECRETS[1]}@127.0.0.1:{server.server_port}"
        server.shutdown()


def basic(pair: str) -> str:
    return "Basic " + b64encode(pair.encode()).decode()


def test_a_build_sees_packages_and_no_credentials(
    tmp_path: Path, gateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    environ = {
        "HTTPS_PROXY": gateway,
        "UV_DEFAULT_INDEX": "mine=http://packages.invalid/simple/",
        "UV_INDEX_MINE_USERNAME": "reader",
        "UV_INDEX_MINE_PASSWORD": SECRETS[0],
        "PIP_CONFIG_FILE": "/dev/null",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    encoded = [basic(f"reader:{SECRETS[0]}")[6:], basic(f"worker:{SECRETS[1]}")[6:]]
    # Backwards, so that what is looked for is not found in the looker.
    wanted = [word[::-1] for word in (*SECRETS, *encoded)]
    command = Command(
        (str(PYTHON), "-I", "-c", LOOK, *wanted), tmp_path, build_settings(environ), writable=(tmp_path,),
        network=True, limits=Limits(wall=60, cpu=60),
    )  # fmt: skip
    with open_index(lambda: discover(environ)) as index:
        outcome = isolating(index).run(command, quiet)
    assert outcome.ok, outcome.output
    said = dict(line.split(" ", 1) for line in outcome.output.splitlines())
    assert json.loads(said["FOUND"]) == []
    assert "http://index-0.internal/files/demo-1.0.whl" in said["PAGE"]
    assert Gateway.asked == [
        ("http://packages.invalid/simple/demo/", basic(f"reader:{SECRETS[0]}"), basic(f"worker:{SECRETS[1]}"))
    ]
