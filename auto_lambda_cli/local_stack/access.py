"""Decides which requests may reach the embedded AWS: those of its user, and those signed with its secret.

URLs of deployed apps are open to everybody, as on AWS. Web pages get nothing else, unless a URL was presigned for them.
The launcher loads this file by its path, so it imports only the standard library, and botocore where it is needed.
"""

from __future__ import annotations

import hmac
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

# One app's paths, and one app's host, under which the emulator is never asked for its own paths: see `addresses`.
_APP = re.compile(r"/_aws/(execute-api|lambda-url)/[^/]+/|/restapis/[^/]+/[^/]+/_user_request_(/|$)")
_LOOPBACK = re.compile(r"(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?", re.IGNORECASE)
_APP_HOST = re.compile(r"[a-z0-9-]+\.(execute-api|lambda-url)(\.[a-z0-9-]+)?\.localhost(:\d+)?", re.IGNORECASE)
_LOOPBACK_NAME = re.compile(r"([a-z0-9.-]+\.)localhost(:\d+)?", re.IGNORECASE)  # of a bucket, for example
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^/,]+)/\d{8}/([^/,]+)/([^/,]+)/aws4_request, *"
    r"SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})"
)
_ESTABLISHED = "01"
_MAPPED = "0000000000000000FFFF0000"  # ::ffff:, before an IPv4 address, as Linux prints it
_SIGNATURE_BODY = 64_000_000  # bytes that are kept to check a signature

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Address = tuple[str, int]


class Verdict(Enum):
    """What becomes of a request; the value is told to those who are refused."""

    LET_IN = ""
    IF_SIGNED = "Other users of this machine must sign requests with the credentials that `auto-lambda local up` prints"
    FOREIGN_HOST = "The local stack is called by the name localhost or the address 127.0.0.1 only"
    WEB_PAGE = "Web pages may call deployed apps and presigned URLs only"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in. ``target`` is the path with the query, both as sent; header names are in lower case."""

    method: str
    path: str
    target: str
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        """The host that it was sent to, as the client says."""
        return self.headers.get("host", "")

    @property
    def for_an_app(self) -> bool:
        """Whether it is for a deployed app."""
        if _APP_HOST.fullmatch(self.host):
            return True
        return bool(_LOOPBACK.fullmatch(self.host) and _APP.match(self.path))

    @property
    def of_a_web_page(self) -> bool:
        """Whether a browser sends it for a page, whichever page that is."""
        return "origin" in self.headers or self.headers.get("sec-fetch-site", "none") != "none"

    @property
    def query(self) -> dict[str, str]:
        """The query's first value of each name."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def presigned(self) -> bool:
        """Whether its query claims a signature."""
        return {"X-Amz-Signature", "X-Amz-Credential"} <= self.query.keys() or {
            "AWSAccessKeyId",
            "Signature",
            "Expires",
        } <= self.query.keys()


def judge(request: Request, same_user: Callable[[], bool]) -> Verdict:
    """Judge a request by what it says of itself, and by whose it is if that matters."""
    if not _LOOPBACK.fullmatch(request.host) and not _LOOPBACK_NAME.fullmatch(request.host):
        return Verdict.FOREIGN_HOST
    if request.for_an_app:
        return Verdict.LET_IN
    if request.of_a_web_page:
        if not request.presigned:
            return Verdict.WEB_PAGE
        # A preflight changes nothing; what follows it is checked.
        return Verdict.LET_IN if request.method == "OPTIONS" else Verdict.IF_SIGNED
    return Verdict.LET_IN if same_user() else Verdict.IF_SIGNED


def is_signed(request: Request, body: bytes, secret: str, now: datetime) -> bool:
    """Tell whether a request was signed with the secret: in its headers, or, for S3, in its query."""
    try:
        if "AWSAccessKeyId" in request.query:
            return _version_2(request, secret, now)
        if request.presigned:
            return _presigned(request, secret, now)
        return _in_headers(request, body, secret)
    except (KeyError, ValueError, OverflowError):  # something is missing or malformed
        return False


def _in_headers(request: Request, body: bytes, secret: str) -> bool:
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.credentials import Credentials

    if not (claim := _SIGNED.fullmatch(request.headers["authorization"])):
        return False
    key, region, service, names, signature = claim.groups()
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signed = _aws_request(request, request.target, names.split(";"), body)
    signed.context["timestamp"] = request.headers["x-amz-date"]
    return _same(signer(Credentials(key, secret), service, region), signed, signature)


def _presigned(request: Request, secret: str, now: datetime) -> bool:
    from botocore.auth import S3SigV4QueryAuth
    from botocore.credentials import Credentials

    query = request.query
    key, _, region, service, _ = query["X-Amz-Credential"].rsplit("/", 4)
    made = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if service != "s3" or now > made + timedelta(seconds=int(query["X-Amz-Expires"])):
        return False
    path, _, raw = request.target.partition("?")
    rest = "&".join(part for part in raw.split("&") if not part.startswith("X-Amz-Signature="))
    signed = _aws_request(request, f"{path}?{rest}", query["X-Amz-SignedHeaders"].split(";"), b"")
    signed.context["timestamp"] = query["X-Amz-Date"]
    return _same(S3SigV4QueryAuth(Credentials(key, secret), service, region), signed, query["X-Amz-Signature"])


def _version_2(request: Request, secret: str, now: datetime) -> bool:
    """Check the older signature, with which boto3 still presigns URLs in us-east-1."""
    from botocore.auth import HmacV1QueryAuth
    from botocore.compat import HTTPHeaders
    from botocore.credentials import Credentials

    query = request.query
    if now.timestamp() > int(query["Expires"]):
        return False

    class Signer(HmacV1QueryAuth):
        """Signs for the given time instead of one from now on."""

        def _get_date(self) -> str:
            return query["Expires"]

    signer = Signer(Credentials(query["AWSAccessKeyId"], secret))
    headers: Any = HTTPHeaders.from_dict(dict(request.headers))
    text = signer.canonical_string(request.method, urlsplit(request.target), headers)
    return hmac.compare_digest(signer.sign_string(text).encode(), query["Signature"].encode())


def _aws_request(request: Request, target: str, names: list[str], body: bytes) -> Any:
    from botocore.awsrequest import AWSRequest

    headers = {name: request.headers[name] for name in names}
    return AWSRequest(request.method, url=f"http://{request.host}{target}", headers=headers, data=body)


def _same(signer: Any, request: Any, signature: str) -> bool:
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return hmac.compare_digest(signer.signature(text, request).encode(), signature.encode())


def owner(client: Address, server: Address) -> int | None:
    """Return the user id of the process at the other end of an open loopback connection; None if it is not found."""
    for table, mapped in (("tcp", False), ("tcp6", True)):
        ends = _hexadecimal(client, mapped=mapped), _hexadecimal(server, mapped=mapped)
        for fields in _connections(Path("/proc/self/net", table)):
            # A connection that its client has closed belongs to nobody, which the table shows as user 0.
            if (fields[1], fields[2]) == ends and fields[3] == _ESTABLISHED and fields[9] != "0":
                return int(fields[7])
    return None


def _connections(table: Path) -> Iterator[list[str]]:
    try:
        with table.open() as lines:
            next(lines)
            for line in lines:
                yield line.split()
    except FileNotFoundError:  # a machine without IPv6
        return


def _hexadecimal(address: Address, *, mapped: bool) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{_MAPPED if mapped else ''}{number:08X}:{address[1]:04X}"


def peers_user(client: Address, server: Address) -> bool:
    """Tell whether the other end of a connection is a process of this process's user."""
    return owner(client, server) == os.geteuid()


class GuardedAws:
    """An ASGI application that lets through to another one what may reach it.

    Args:
        app: the embedded AWS.
        secret: its secret access key.
        same_user: tells whether the client at this address is a process of our user.
        of_page: returns the app whose page on a host has an address.
    """

    def __init__(
        self, app: App, secret: str, same_user: Callable[[Address], bool], of_page: Callable[[str, str], Any]
    ) -> None:
        self._app = app
        self._of_page = of_page
        self._secret = secret
        self._same_user = same_user

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = _request(scope)
        verdict = judge(request, lambda: self._same_user(scope["client"]))
        if verdict is Verdict.IF_SIGNED:
            body, receive = await _kept(receive) if _signs_its_body(request) else (b"", receive)
            if is_signed(request, body, self._secret, datetime.now(UTC)):
                verdict = Verdict.LET_IN
        page_of = self._of_page(request.host, request.headers.get("referer", ""))
        if verdict is Verdict.WEB_PAGE and page_of and scope["type"] == "http":
            await _send_on(page_of.folder + request.target, send)
            return
        if verdict is not Verdict.LET_IN:
            await _refuse(scope, request, verdict, send)
            return
        keeps_cors = request.for_an_app or request.of_a_web_page
        await self._app(scope, receive, send if keeps_cors else _without_cors(send))


def _request(scope: Mapping[str, Any]) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    query = scope["query_string"].decode("latin-1")
    # hypercorn's `raw_path` is the path as it was sent.
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return Request(scope.get("method", "GET"), scope["path"], target, headers)


def _signs_its_body(request: Request) -> bool:
    return not request.presigned and "x-amz-content-sha256" not in request.headers


async def _kept(receive: Receive) -> tuple[bytes, Receive]:
    """Read the body, and return it with a function that gives it once more."""
    messages, body = [], b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body") or len(body) > _SIGNATURE_BODY:
            break
    left = iter(messages)

    async def again() -> dict[str, Any]:
        message = next(left, None)
        return await receive() if message is None else message

    return body, again


def _without_cors(send: Send) -> Send:
    async def plain(message: dict[str, Any]) -> None:
        if "headers" in message:
            kept = [(name, value) for name, value in message["headers"] if not _is_cors(name)]
            message = {**message, "headers": kept}
        await send(message)

    return plain


def _is_cors(name: bytes) -> bool:
    return name.lower().startswith(b"access-control-")


async def _send_on(location: str, send: Send) -> None:
    """Bring a link of an app's page to its own root below the app; on AWS, the app has the host for itself."""
    headers = [(b"location", location.encode("latin-1")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Mapping[str, Any], request: Request, verdict: Verdict, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": verdict.value})
        return
    status, headers, body = refusal(request, verdict)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def refusal(request: Request, verdict: Verdict) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer that AWS clients understand."""
    error = f"<Error><Code>AccessDenied</Code><Message>{verdict.value}</Message></Error>"
    # Only S3 has no element around its error. Clients of JSON services take the code from the header.
    text = error if "/s3/aws4_request" in request.headers.get("authorization", "") or request.presigned else (
        f"<ErrorResponse>{error}</ErrorResponse>"
    )  # fmt: skip
    body = text.encode()
    headers = {"Content-Type": "text/xml", "Content-Length": str(len(body)), "x-amzn-ErrorType": "AccessDenied"}
    return 403, headers, body
