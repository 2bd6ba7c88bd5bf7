"""What every end-to-end test works with: the running stack as its user sees it, and zips to drop."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
AUTO_LAMBDA = Path(sys.executable).with_name("auto-lambda")
FINAL = {"live", "failed", "superseded"}
MAX_UPLOAD_MB = 20
"""The largest zip that this stack takes; see `test_bad_input`."""

SMALL_CHALICE = """
import os

from chalice import Chalice

app = Chalice(app_name="small")


@app.route("/")
def index():
    return ANSWER
"""

SMALL_WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"small"]
"""

SLOW_SETUP = """
import time
from setuptools import setup

time.sleep(4)
setup(name="slow", version="1", py_modules=["slow"])
"""

Files = Mapping[str, str | bytes]
T = TypeVar("T")


def make_zip(files: Files, programs: Collection[str] = ()) -> bytes:
    """A zip of some files, some of which may be run, as any zip tool would make it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, time.localtime()[:6])
            member.external_attr = (0o100755 if name in programs else 0o100600) << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_folder(folder: Path) -> dict[str, bytes]:
    """A folder's files by name, less what running it left there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def example(name: str) -> bytes:
    """The zip of one of our examples."""
    return make_zip(read_folder(EXAMPLES / name))


def small_chalice(answer: str = "{'hello': 'world'}", **stage: object) -> dict[str, str | bytes]:
    """The smallest chalice app: one route that answers ``answer``, a Python expression; ``stage`` is its config."""
    config = {"version": "2.0", "app_name": "small", "stages": {"dev": stage}}
    return {"app.py": SMALL_CHALICE.replace("ANSWER", answer), ".chalice/config.json": json.dumps(config)}


def small_zappa(**settings: object) -> dict[str, str | bytes]:
    """The smallest zappa app: a WSGI callable, no framework, nothing to install but zappa."""
    stage = {"app_function": "app.app", "project_name": "small", **settings}
    return {"app.py": SMALL_WSGI, "zappa_settings.json": json.dumps({"dev": stage})}


def slow_to_build(files: Files) -> dict[str, str | bytes]:
    """An app with a dependency of its own whose every build takes 4 s, for who wants to see a drop on its way."""
    return {**files, "requirements.txt": "./slow\n", "slow/setup.py": SLOW_SETUP, "slow/slow.py": ""}


def saying(word: str, files: Mapping[str, str | bytes] | None = None) -> dict[str, str | bytes]:
    """A small app that answers a word: chalice's, or the zappa app whose files these are."""
    files = files or small_chalice(f"{{'word': '{word}'}}")
    return {**files, "app.py": str(files["app.py"]).replace('b"small"', f'b"{word}"')}


@dataclass(frozen=True, slots=True)
class Drop:
    """One object version that was put into the uploads bucket."""

    key: str
    version: str

    @property
    def receipt_key(self) -> str:
        return self.key.removesuffix(".zip") + ".receipt.json"

    @property
    def log_key(self) -> str:
        return self.key.removesuffix(".zip") + ".log"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Stack:
    """A local stack that is up, seen from outside: its endpoint, its bucket, AWS clients, HTTP."""

    def __init__(self, ready: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.endpoint = str(ready["endpoint"])
        self.bucket = str(ready["bucket"])
        self.queue = str(ready["queue"])
        self.ready = ready
        self.environ = environ
        self._http = urllib3.PoolManager(retries=False, timeout=60)
        self.s3 = self.client("s3")
        self.sqs = self.client("sqs")
        self.lambda_ = self.client("lambda")

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}),
        )

    def drop(self, name: str, body: bytes, content_type: str = "application/zip") -> Drop:
        """Put a zip as ``apps/<name>.zip``, as any S3 client would; ``name`` may hold a stage."""
        key = f"apps/{name}.zip"
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type)
        return Drop(key, answer["VersionId"])

    def get_json(self, bucket: str, key: str) -> Any:
        """A JSON object's content, None where there is no such object."""
        try:
            return json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise

    def receipt(self, drop: Drop) -> Any:
        """The receipt as it is now, None without one."""
        return self.get_json(self.bucket, drop.receipt_key)

    def final(self, drop: Drop, seconds: float = 150) -> dict[str, Any]:
        """The receipt of just this version, once it is final."""

        def ended() -> Any:
            receipt = self.receipt(drop)
            its_own = receipt and receipt["upload"]["version"] in (drop.version, None)
            return receipt if its_own and receipt["status"] in FINAL else None

        return until(ended, seconds, lambda: f"{drop.key} is not final: {self.receipt(drop)}\n{self.log(drop)}")

    def live(self, drop: Drop, seconds: float = 150) -> dict[str, Any]:
        """The receipt of just this version, which must be live."""
        receipt = self.final(drop, seconds)
        assert receipt["status"] == "live", f"{receipt['error']}\n{self.log(drop)}"
        return receipt

    def log(self, drop: Drop) -> str:
        try:
            return str(self.s3.get_object(Bucket=self.bucket, Key=drop.log_key)["Body"].read().decode())
        except ClientError:
            return "(no log)"

    def http(
        self, url: str, method: str = "GET", *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, redirects not followed."""
        answer = self._http.request(method, url, body=body, headers=headers, redirect=False)
        return Answer(answer.status, answer.headers, answer.data)

    def invoke(self, function: str, event: Any, qualifier: str = "live") -> Any:
        """Invoke and decode; the function must not have failed."""
        answer = self.lambda_.invoke(FunctionName=function, Qualifier=qualifier, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def function(self, app: str, name: str, stage: str = "dev") -> str:
        """The physical name of one of an app's functions, by the name of its Python function."""
        logical = name.title().replace("_", "")
        resources = self.client("cloudformation").describe_stack_resources(StackName=f"al-{app}-{stage}")[
            "StackResources"
        ]
        (found,) = (one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == logical)
        return str(found)

    def alias_version(self, function: str) -> str:
        """What ``live`` points at."""
        return str(self.lambda_.get_alias(FunctionName=function, Name="live")["FunctionVersion"])

    def cli(
        self, *arguments: str, typed: str = "", seconds: float = 150, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run our command line as in another terminal of the same user: it finds the stack by itself."""
        return subprocess.run(
            [AUTO_LAMBDA, *arguments], env={**self.environ, **environ}, capture_output=True, text=True, input=typed,
            timeout=seconds, check=False,
        )  # fmt: skip


def until(
    look: Callable[[], T | None],
    seconds: float,
    otherwise: Callable[[], str] = lambda: "it did not come",
    every: float = 0.1,
) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, otherwise()
        time.sleep(every)


def bare_environ() -> dict[str, str]:
    """The environment of whoever has set nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AUTO_LAMBDA_"))}


class LocalUp:
    """A process ``auto-lambda local up``."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.environ = {**bare_environ(), "XDG_STATE_HOME": str(folder / "state"), **environ}
        self.log = folder / "local-up.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [AUTO_LAMBDA, "local", "up", *options],
                env=self.environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
            )

    def ready(self) -> Stack:
        """Wait for the one JSON line."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"local up ended with {self.process.wait()}:\n{self.tail()}"
        ready = json.loads(line)
        assert ready["ready"] is True
        return Stack(ready, self.environ)

    def tail(self, characters: int = 6000) -> str:
        return self.log.read_text(errors="replace")[-characters:]

    def end(self, with_: signal.Signals = signal.SIGTERM, seconds: float = 180) -> int:
        """Signal it and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_)
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout:
                self.process.stdout.close()


def descendants(pid: int) -> set[int]:
    """Every process below one, however deep."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    rest = [pid]
    while rest:
        for child in children.get(rest.pop(), []):
            if child not in found:
                found.add(child)
                rest.append(child)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            yield int(folder.name), int(stat.rpartition(")")[2].split()[1])


def running(pid: int) -> bool:
    """Whether there is such a process, and not only its remains."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
