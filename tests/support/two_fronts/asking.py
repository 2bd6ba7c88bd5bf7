"""The requests, and one connection for each: as sent, with nothing added that was not asked for."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import urlsplit

Pairs = tuple[tuple[str, str], ...]
ALL = ("fronts-chalice", "fronts-fastapi", "fronts-flask", "fronts-django", "fronts-asgi")
_JSON = ("Content-Type", "application/json")
_TEXT = ("Content-Type", "text/plain")
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_BYTES = ("Content-Type", "application/octet-stream")
_MULTI = ("Content-Type", "multipart/form-data; boundary=xyz")
_MULTIPART = b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\x00\xff\r\n--xyz--\r\n'
_EVERY_BYTE = bytes(range(256))


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, by a name that differences refer to."""

    name: str
    path: str
    method: str = "GET"
    headers: Pairs = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for one, value in self.headers if one.lower() == name]


def ask(origin: str, prefix: str, one: Ask, host: str, more: Pairs = ()) -> Told:
    """Send a request and read the answer.

    Args:
        origin: where, ``http://host:port``.
        prefix: of the path.
        one: the request.
        host: that the client believes to ask.
        more: what a load balancer adds.
    """
    place = urlsplit(origin)
    lines = [f"{one.method} {prefix}{one.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (*one.headers, *more)]
    if one.body is not None:
        lines.append(f"Content-Length: {len(one.body)}")
    with socket.create_connection((str(place.hostname), place.port or 80), timeout=40) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (one.body or b""))
        answer = HTTPResponse(connection, method=one.method)
        answer.begin()
        return Told(answer.status, tuple(answer.getheaders()), answer.read())


def requests(app: str) -> Iterator[Ask]:
    """Yield all requests for an app."""
    if app == "fronts-guarded":
        yield from _guarded("/echo", "/echo/x")
        yield from _preflights("/echo")
        return
    yield from _methods()
    yield from _paths()
    yield from _queries()
    yield from _headers()
    yield from _bodies(chalice=app == "fronts-chalice")
    yield from _answers()
    if app == "fronts-chalice":
        yield from _guarded("/guarded", "/guarded/x")
        yield from _of_chalice()
        for path in ("/cors", "/cors/own", "/guarded/x"):
            yield from _preflights(path)
            yield from _across(path)
    else:
        yield Ask("slash missing", "/slash")
        yield Ask("slash", "/slash/")


def _methods() -> Iterator[Ask]:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        yield Ask(f"method {method}", "/echo", method, (_JSON,), b"" if method in {"POST", "PUT", "PATCH"} else None)
    yield Ask("method OPTIONS", "/echo", "OPTIONS")
    for method in ("TRACE", "PROPFIND", "BREW"):
        yield Ask(f"method {method}", "/echo", method)
    yield Ask("method not allowed", "/text", "DELETE")
    yield Ask("method HEAD of a text", "/text", "HEAD")


def _paths() -> Iterator[Ask]:
    for name, path in {
        "plain": "/echo/x",
        "space": "/echo/a%20b",
        "plus": "/echo/a+b",
        "slash": "/echo/a%2Fb",
        "percent": "/echo/a%25b",
        "twice": "/echo/a%252Fb",
        "unicode": "/echo/%C3%BC%E4%B8%96",
        "pipe": "/echo/first%7Clast",
        "at": "/echo/me@x.example",
        "dots": "/echo/..%2Fx",
        "literal": "/echo/mine", "no UTF-8": "/echo/%ff%fe",
        "tilde": "/echo/~x",
        "comma": "/echo/a,b;c=d",
        "trailing slash": "/echo/",
        "trailing slash below": "/echo/x/",
        "two slashes": "/echo//x",
        "long": f"/echo/{'x' * 3000}",
        "lower hex": "/echo/%c3%bc", "encoded letter": "/echo/%61",
        "missing": "/no/such/thing", "root": "/", "missing with a dot": "/favicon.ico",
    }.items():  # fmt: skip
        yield Ask(f"path {name}", path)


def _queries() -> Iterator[Ask]:
    for name, query in {
        "one": "a=1",
        "repeated": "a=1&a=2&b=3",
        "empty value": "a=&b=1",
        "no value": "a&b=1",
        "space": "a=x%20y",
        "plus": "a=x+y",
        "unicode": "a=%C3%BC",
        "encoded name": "a%5B%5D=1&a%5B%5D=2",
        "ampersand": "a=x%26y",
        "equals": "a=x=y",
        "percent": "a=100%25",
        "semicolon": "a=1;b=2", "nothing": "", "long": f"a={'x' * 3000}", "order": "b=1&a=2&b=3", "no UTF-8": "a=%ff",
    }.items():  # fmt: skip
        yield Ask(f"query {name}", f"/echo?{query}")


def _headers() -> Iterator[Ask]:
    by_name = {
        "own": (("X-Own", "1"),),
        "repeated": (("X-Own", "1"), ("X-Own", "2")),
        "empty": (("X-Own", ""),),
        "cookie": (("Cookie", "a=1; b=2"),),
        "cookies": (("Cookie", "a=1"), ("Cookie", "b=2")),
        "latin-1": (("X-Own", "Gr\u00fc\u00dfe"),),
        "large": (("X-Own", "x" * 7000),),
        "many": tuple((f"X-Own-{number}", str(number)) for number in range(50)),
        "underscore": (("X_Own", "1"),),
        "comma": (("X-Own", "a, b"),),
        "identity": (("X-Amzn-Oidc-Identity", "me"), ("X-Remote-User", "admin")),
        "authorization": (("Authorization", "Bearer x"),),
        "accept gzip": (("Accept-Encoding", "gzip, deflate"),),
        "method override": (("X-HTTP-Method-Override", "DELETE"),),
        "user agent": (("User-Agent", "own/1"),),
        "range": (("Range", "bytes=0-3"),),
        "condition": (("If-None-Match", '"x"'),),
    }
    for name, headers in by_name.items():
        yield Ask(f"header {name}", "/echo", headers=headers)


def _bodies(*, chalice: bool) -> Iterator[Ask]:
    raw = "/raw" if chalice else "/echo"
    for name, path, header, body in (
        ("JSON", "/echo", _JSON, b'{"a": [1, "\xc3\xbc"]}'),
        ("no JSON", "/echo", _JSON, b"{"),
        ("text", "/echo", _TEXT, "Grüße, 世界".encode()),
        ("form", "/echo", _FORM, b"a=1&b=x+y&a=%C3%BC"),
        ("empty", "/echo", _TEXT, b""),
        ("binary", raw, _BYTES, _EVERY_BYTE),
        ("picture", raw, ("Content-Type", "image/png"), b"\x89PNG\r\n" + _EVERY_BYTE),
        ("own binary", raw, ("Content-Type", "application/x-own"), _EVERY_BYTE),
        ("binary as text", "/echo", _TEXT, _EVERY_BYTE),
        ("large text", "/echo", _TEXT, b"x" * 1_500_000),
        ("large binary", raw, _BYTES, _EVERY_BYTE * 6000),
        ("no type", "/echo", ("X-Own", "1"), b"text"),
        ("type with charset", "/echo", ("Content-Type", "application/json; charset=utf-8"), b"{}"),
        ("unknown type", "/echo", ("Content-Type", "application/x-unknown"), b"a"),
        ("multipart", raw if not chalice else "/echo", _MULTI, _MULTIPART),
    ):
        yield Ask(f"body {name}", path, "POST", (header,), body)
    yield Ask("body of GET", "/echo", "GET", (_TEXT,), b"a body")
    yield Ask("body of DELETE", "/echo", "DELETE", (_TEXT,), b"a body")
    yield Ask("body gzip", raw, "POST", (_BYTES, ("Content-Encoding", "gzip")), gzip.compress(b"hello", mtime=0))


def _answers() -> Iterator[Ask]:
    for code in (200, 201, 202, 400, 401, 403, 404, 405, 409, 418, 422, 429, 500, 502, 503):
        yield Ask(f"status {code}", f"/status/{code}")
    for path in ("redirect", "cookies", "text", "empty", "bad", "boom"):
        yield Ask(f"answer {path}", f"/{path}")
    yield Ask("answer large", "/large/1500000")
    for kind in ("octet-stream", "x-own"):
        yield Ask(f"bytes {kind} without Accept", f"/bytes/{kind}")
        yield Ask(f"bytes {kind} accepted", f"/bytes/{kind}", headers=(("Accept", f"application/{kind}"),))
        yield Ask(f"bytes {kind} as JSON", f"/bytes/{kind}", headers=(("Accept", "application/json"),))
        yield Ask(f"bytes {kind} as anything", f"/bytes/{kind}", headers=(("Accept", "*/*"),))
    yield Ask("bytes accepted among others", "/bytes/x-own", headers=(("Accept", "application/x-own, text/html"),))


def _guarded(path: str, below: str) -> Iterator[Ask]:
    for token in ("let me in", "no", "unauthorized", "boom", "wrong", "routes", ""):
        headers = (("Authorization", token),) if token else ()
        yield Ask(f"token {token or 'missing'}", path, headers=headers)
        yield Ask(f"token {token or 'missing'} again", path, headers=headers)
        yield Ask(f"token {token or 'missing'} below", below, headers=headers)
        yield Ask(f"token {token or 'missing'} to delete", below, "DELETE", headers)
    let = (("Authorization", "let me in"),)
    yield Ask("token in lower case", path, headers=(("authorization", "let me in"),))
    yield Ask("token twice", path, headers=(("Authorization", "no"), *let))
    for name, trick in {
        "slash": f"{path}/", "slashes": f"/{path}", "encoded": path.replace("d", "%64", 1), "dot": f"/.{path}",
        "dots": f"/x/..{path}", "case": path.upper(), "semicolon": f"{path};x", "null": f"{path}%00",
        "backslash": f"/%5C{path[1:]}", "query": f"{path}?/../text", "fragment": f"/text%23{path}",
    }.items():  # fmt: skip
        yield Ask(f"trick {name}", trick)
        yield Ask(f"trick {name} with a token", trick, headers=let)
    yield Ask("trick override", path, "POST", (("X-HTTP-Method-Override", "GET"),), b"")
    yield Ask("trick rewritten", "/text", headers=(("X-Original-URL", path), ("X-Rewrite-URL", path)))


def _preflights(path: str) -> Iterator[Ask]:
    asked = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT"))
    yield Ask(f"preflight {path}", path, "OPTIONS", asked)
    yield Ask(f"preflight {path} without origin", path, "OPTIONS")


def _across(path: str) -> Iterator[Ask]:
    yield Ask(f"across {path}", path, headers=(("Origin", "https://a.example"), ("Authorization", "let me in")))


def _of_chalice() -> Iterator[Ask]:
    yield Ask("raw as text", "/raw", "POST", (_TEXT,), b"text")
    yield Ask("echo as bytes", "/echo", "POST", (_BYTES,), _EVERY_BYTE)
    for path in ("/echo", "/cors", "/guarded"):
        yield Ask(f"verb missing {path}", path, "REPORT")
    yield Ask("verb missing of cors", "/cors", "DELETE")
    yield Ask("preflight where none is", "/echo", "OPTIONS", (("Origin", "https://a.example"),))
