"""An HTTP proxy in front of the embedded AWS that knows each call of the worker by name, and spoils one.

Standard library only: what exists either knows no AWS operation and no process to kill (TCP proxies such as toxiproxy)
or brings a browser's worth of dependencies (mitmproxy). Bodies are held whole: the apps that are dropped here are tiny.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

WORKER = "auto-lambda"
"""In the user agent of each call of the worker, and of nobody else's."""
RETENTION = f"{WORKER} retention"
"""In that of each call of the worker's housekeeper."""
_SILENCE = 60.0  # seconds; the worker under test gives up long before
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "expect", "date", "server"}


class Kind(StrEnum):
    """What happens to a call. All but the last happen to its retries by botocore too, so that it fails."""

    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    THROTTLED = "throttled"
    ERROR = "5xx"
    SILENCE = "time-out"
    CUT = "cut"
    CUT_ONCE = "cut once"

    @property
    def kills(self) -> bool:
        return self in {Kind.KILL_BEFORE, Kind.KILL_AFTER}

    @property
    def acts(self) -> bool:
        """Whether the embedded AWS does what was asked."""
        return self in {Kind.KILL_AFTER, Kind.CUT, Kind.CUT_ONCE}


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """The ``nth`` call of its ``name``: ``service:Operation``, with what it was about where that tells calls apart."""

    name: str
    nth: int = 1

    @property
    def reads(self) -> bool:
        """Whether it changes nothing: then it makes no difference if the answer or the question gets lost."""
        return re.search(r":(Get|Head|Describe|List|Query|BatchGet|GET$)", self.name) is not None

    def __str__(self) -> str:
        return self.name if self.nth == 1 else f"{self.name} #{self.nth}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Which call is spoilt, and how."""

    call: Call
    kind: Kind


@dataclass(slots=True)
class Watch:
    """What was seen since `FaultyAws.watch`.

    ``fired`` is set once the fault has happened, ``settled`` with each message that is deleted. ``throttled`` is a call
    that is throttled besides, whatever the fault is.
    """

    fault: Fault | None = None
    victim: int | None = None
    throttled: Call | None = None
    calls: list[Call] = field(default_factory=list)
    fired: threading.Event = field(default_factory=threading.Event)
    settled: threading.Event = field(default_factory=threading.Event)
    _names: Counter[str] = field(default_factory=Counter)
    _invocations: dict[str, Call] = field(default_factory=dict)

    def number(self, name: str, invocation: str | None) -> tuple[Call, bool]:
        """The call that a request belongs to, and whether it is the first request of that call."""
        if invocation and invocation in self._invocations:
            return self._invocations[invocation], False
        self._names[name] += 1
        call = Call(name, self._names[name])
        if invocation:
            self._invocations[invocation] = call
        self.calls.append(call)
        return call, True


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class FaultyAws:
    """The proxy; use it as a context manager.

    Args:
        behind: the embedded AWS's endpoint.
    """

    def __init__(self, behind: str) -> None:
        self._address = urlsplit(behind).netloc
        self._lock = threading.Lock()
        self._watch = Watch()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.aws = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def watch(self, fault: Fault | None = None, victim: int | None = None, throttled: Call | None = None) -> Watch:
        """Begin to count anew; ``victim`` is the process that a fault kills, ``throttled`` a call that always is."""
        with self._lock:
            self._watch = Watch(fault, victim, throttled)
            return self._watch

    def handle(self, request: _Request, client: socket.socket) -> _Answer | None:
        """Answer a request; None when the connection is to be cut."""
        if WORKER not in request.headers.get("user-agent", ""):
            return self._forward(request)
        name, watch = name_of(request), self._watch
        if RETENTION in request.headers.get("user-agent", ""):
            name = f"retention {name}"  # it comes when it likes, between the others
        if name == "sqs:ReceiveMessage":
            return self._receive(request, client, watch)
        return self._call(request, client, watch, name)

    def _receive(self, request: _Request, client: socket.socket, watch: Watch) -> _Answer | None:
        """Only a receive that brings something is a call: how many bring nothing depends on when the zip was dropped.

        What comes before it must be known before, so it happens to the next receive of all.
        """
        fault = watch.fault
        spoilt = fault is not None and fault.call.name == "sqs:ReceiveMessage"
        if fault and spoilt and not fault.kind.acts:
            with self._lock:
                hit = not watch.fired.is_set() or _attempt(request) > 1
            if hit:
                return self._spoil(request, client, watch, fault)
        answer = self._forward(request)
        if b'"MessageId"' not in answer.body:
            return answer
        watch = self._watch  # it may have begun while the receive was waiting
        fault = watch.fault
        with self._lock:
            call, _ = watch.number("sqs:ReceiveMessage", request.headers.get("amz-sdk-invocation-id"))
        if fault is None or fault.call != call:
            return answer
        self._after(watch, fault)
        return None

    def _call(self, request: _Request, client: socket.socket, watch: Watch, name: str) -> _Answer | None:
        try:
            return self._numbered(request, client, watch, name)
        finally:
            if name == "sqs:DeleteMessage":
                watch.settled.set()

    def _numbered(self, request: _Request, client: socket.socket, watch: Watch, name: str) -> _Answer | None:
        with self._lock:
            call, first = watch.number(name, request.headers.get("amz-sdk-invocation-id"))
        if call == watch.throttled:
            return refusal(request, throttled=True)
        fault = watch.fault
        if fault is None or fault.call != call or (fault.kind is Kind.CUT_ONCE and not first):
            return self._forward(request)
        return self._spoil(request, client, watch, fault)

    def _spoil(self, request: _Request, client: socket.socket, watch: Watch, fault: Fault) -> _Answer | None:
        if fault.kind.acts:
            self._forward(request)
            self._after(watch, fault)
            return None
        if fault.kind is Kind.KILL_BEFORE:
            _kill(watch)
            return None
        watch.fired.set()
        if fault.kind is Kind.SILENCE:
            self._stay_silent(client)
            return None
        return refusal(request, throttled=fault.kind is Kind.THROTTLED)

    def _after(self, watch: Watch, fault: Fault) -> None:
        """AWS has acted; nobody hears of it."""
        if fault.kind is Kind.KILL_AFTER:
            _kill(watch)
        watch.fired.set()

    def _stay_silent(self, client: socket.socket) -> None:
        """Until the other side gives up."""
        for _ in range(round(_SILENCE / 0.5)):
            readable, _, _ = select.select([client], [], [], 0.5)
            if readable or self._closing.is_set():
                return

    def _forward(self, request: _Request) -> _Answer:
        connection = http.client.HTTPConnection(self._address, timeout=900)
        try:
            headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
            connection.request(request.method, request.target, request.body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
            kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP)
            return _Answer(answer.status, kept, body)
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    aws: FaultyAws

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed breaks its connections; nobody needs to read of it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def _do(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        answer = self.server.aws.handle(_Request(self.command, self.path, headers, body), self.connection)
        if answer is None:
            self._cut()
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            if self.command == "HEAD" or name.lower() != "content-length":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else answer.body)

    def _cut(self) -> None:
        """A reset, not an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.connection.close()

    def log_message(self, *_: Any) -> None:
        pass


def _kill(watch: Watch) -> None:
    """The worker alone, as the kernel would when memory runs out; it is dead when this returns."""
    if watch.victim is not None and not watch.fired.is_set():
        os.kill(watch.victim, signal.SIGKILL)
    watch.fired.set()


def _attempt(request: _Request) -> int:
    found = re.search(r"attempt=(\d+)", request.headers.get("amz-sdk-request", ""))
    return int(found[1]) if found else 1


# -- names ------------------------------------------------------------------------------------------------------------


def name_of(request: _Request) -> str:
    """``service:Operation`` of a request, and what it is about."""
    service = _service(request)
    if service is None:
        return f"app:{request.method}"
    if target := request.headers.get("x-amz-target"):
        operation = target.rpartition(".")[2]
    elif service == "s3":
        operation = _s3(request)
    elif service == "lambda":
        operation = _lambda(request)
    else:
        operation = (parse_qs(request.body.decode(errors="replace")).get("Action") or [request.method])[0]
    about = _about_item(request.body) if service == "dynamodb" else ""
    return f"{service}:{operation}{f' {about}' if about else ''}"


def _service(request: _Request) -> str | None:
    found = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", request.headers.get("authorization", ""))
    return found[1] if found else None


def _s3(request: _Request) -> str:
    url = urlsplit(request.target)
    _, bucket, *rest = url.path.split("/", 2)
    del bucket
    if "notification" in parse_qs(url.query, keep_blank_values=True):
        return f"{request.method.title()}BucketNotification"
    if not rest or not rest[0]:
        return {"GET": "ListObjects"}.get(request.method, request.method)
    return f"{request.method.title()}Object {_about_object(rest[0], request.body)}"


def _about_object(key: str, body: bytes) -> str:
    """Receipts and logs come in an unsteady number while the work goes on, so the last ones have names of their own."""
    if key.endswith(".receipt.json"):
        found = re.search(rb'"status": "(\w+)"', body)
        return f"receipt({found[1].decode()})" if found else "receipt"
    if key.endswith(".log"):
        return "log(live)" if re.search(rb"\n *[\d.]+ +live: ", body) else "log"
    if key.endswith(".zip") and key.startswith("apps/"):
        return "upload"
    folder, _, name = key.partition("/")
    return f"{folder.removesuffix('s')} {name.partition('.')[2]}".strip()


_LAMBDA = (
    (r"^DELETE .*/layers/[^/]+/versions/\d+$", "DeleteLayerVersion"),
    (r"^DELETE .*/functions/[^/]+$", "DeleteFunction"),
    (r"/layers/[^/]+/versions$", "ListLayerVersions"),
    (r"^POST .*/functions/[^/]+/versions$", "PublishVersion"),
    (r"^PUT .*/aliases/[^/]+$", "UpdateAlias"),
    (r"^PUT .*/configuration$", "UpdateFunctionConfiguration"),
    (r"/functions/[^/]+/versions$", "ListVersionsByFunction"),
    (r"/aliases$", "ListAliases"),
    (r"/invocations$", "Invoke"),
    (r"/configuration$", "GetFunctionConfiguration"),
    (r"/code$", "UpdateFunctionCode"),
    (r"/aliases/[^/]+$", "GetAlias"),
    (r"/functions/[^/]+$", "GetFunction"),
)


def _lambda(request: _Request) -> str:
    asked = f"{request.method} {urlsplit(request.target).path}"
    return next((name for pattern, name in _LAMBDA if re.search(pattern, asked)), asked)


def _about_item(body: bytes) -> str:
    """The items by their sort keys, a journal's with its step."""
    data = json.loads(body)
    if "TransactItems" in data:
        return "+".join(_item(next(iter(action.values()))) for action in data["TransactItems"])
    if "Item" in data:
        return _item(data)
    return ""


def _item(action: Mapping[str, Any]) -> str:
    item = action.get("Item") or action.get("Key") or {}
    kind = item.get("sk", {}).get("S", "")
    if kind == "journal" and "step" not in item:
        return "journal(over)"
    if kind == "journal":
        return f"journal({item['step']['S']} {item['phase']['S']})"
    if item.get("pk", {}).get("S", "").startswith("history#"):
        return f"attempt({item.get('outcome', {}).get('S', 'begun')})"
    if item.get("pk", {}).get("S", "").startswith("releases#"):
        return "release"
    if item.get("pk", {}).get("S") == "collect":
        return "due"
    if item.get("pk", {}).get("S") == "events":
        return "event" if "detail" in item else "event(sent)"
    if kind == "lease":
        return "lease" if "owner" in item else "lease(given up)"
    return str(kind)


# -- refusals ---------------------------------------------------------------------------------------------------------


def refusal(request: _Request, *, throttled: bool) -> _Answer:
    """What the service would answer, in its own protocol."""
    service = _service(request)
    if service is None:
        return _Answer(429 if throttled else 500, (), b"no")
    if service == "s3":
        code, status = ("SlowDown", 503) if throttled else ("InternalError", 500)
        text = f"<Error><Code>{code}</Code><Message>made by a test</Message><RequestId>x</RequestId></Error>"
        return _Answer(status, (("Content-Type", "application/xml"),), text.encode())
    if "x-amz-target" in request.headers:
        code, status = (_json_throttle(service), 400) if throttled else ("InternalServerError", 500)
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "made by a test"})
        return _Answer(status, (("Content-Type", "application/x-amz-json-1.0"),), body.encode())
    if service == "lambda":
        code, status = ("TooManyRequestsException", 429) if throttled else ("ServiceException", 500)
        body = json.dumps({"Type": "User" if throttled else "Service", "Message": "made by a test"})
        return _Answer(status, (("Content-Type", "application/json"), ("x-amzn-ErrorType", code)), body.encode())
    code, status = ("Throttling", 400) if throttled else ("InternalFailure", 500)
    text = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>Rate exceeded</Message></Error><RequestId>x</RequestId></ErrorResponse>"
    )
    return _Answer(status, (("Content-Type", "text/xml"),), text.encode())


def _json_throttle(service: str) -> str:
    return {"dynamodb": "ProvisionedThroughputExceededException", "sqs": "RequestThrottled"}.get(
        service, "ThrottlingException"
    )
