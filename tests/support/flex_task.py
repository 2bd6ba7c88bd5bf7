"""A task as Fargate starts it: the packed entrypoint in a process, and a bucket that has its artefacts."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3

from auto_lambda.tools import ToolEnvironments
from entrypoint.packing import EntrypointZip, pack
from entrypoint.task import VARIABLE, Artefact, TaskDescription, describe

MINOR = "{}.{}".format(*sys.version_info)


def site_of(environment: str, minor: str = MINOR) -> Path:
    """The packages of a tool environment."""
    python = ToolEnvironments().python(environment, minor)
    return python.parent.parent / "lib" / f"python{minor}" / "site-packages"


@functools.cache
def packed() -> EntrypointZip:
    return pack(site_of("entrypoint"))


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Bucket(ThreadingHTTPServer):
    """Objects by their paths, over HTTP."""

    daemon_threads = True

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _BucketHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def put(self, content: bytes) -> Artefact:
        digest = hashlib.sha256(content).hexdigest()
        self.objects[f"/artifacts/{digest}.zip"] = content
        return Artefact(f"{digest}.zip", digest)


class _BucketHandler(BaseHTTPRequestHandler):
    server: Bucket

    def do_GET(self) -> None:
        content = self.server.objects.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@dataclass
class Running:
    """A task's process."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.http = urllib3.PoolManager(retries=False, timeout=60)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if '"event": "serving"' in line:
                self.port = json.loads(line)["port"]
                self.up.set()
        self.up.set()

    def get(self, path: str, method: str = "GET", **more: Any) -> urllib3.BaseHTTPResponse:
        return self.http.request(method, f"http://127.0.0.1:{self.port}{path}", redirect=False, **more)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = 60) -> int:
        code = self.process.wait(seconds)
        self.reader.join(10)
        return code

    def said(self, event: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if f'"event": "{event}"' in line]


@contextmanager
def running(task: TaskDescription, root: Path, endpoint: str, minor: str = MINOR, **environ: str) -> Iterator[Running]:
    """Start a task and wait until it serves, or has ended."""
    entry = root / "entrypoint.zip"
    root.mkdir(parents=True, exist_ok=True)
    entry.write_bytes(packed().content)
    given = {
        "PATH": os.environ["PATH"],
        VARIABLE: describe(task),
        "AUTO_LAMBDA_ROOT": str(root),
        "AUTO_LAMBDA_LISTEN": "127.0.0.1:0",
        "LAMBDA_RUNTIME_DIR": str(site_of("runtime", minor)),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_MAX_ATTEMPTS": "1",
        **environ,
    }
    python = ToolEnvironments().python("runtime", minor)
    process = subprocess.Popen(
        [python, entry], env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    one = Running(process)
    try:
        one.up.wait(60)
        yield one
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        one.reader.join(10)
        assert process.stdout
        process.stdout.close()
