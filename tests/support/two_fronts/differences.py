"""Where the two fronts of an app answer differently: the one source of the tables in docs/reference/tasks.md.

Each difference says which requests show it, and in what; the comparison fails if one shows more, or no longer does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

CHALICE, FASTAPI, FLASK, DJANGO, ASGI, GUARDED = (
    f"fronts-{name}" for name in ("chalice", "fastapi", "flask", "django", "asgi", "guarded")
)
NAMES = {CHALICE: "chalice", FASTAPI: "FastAPI", FLASK: "Flask", DJANGO: "Django", ASGI: "ASGI", GUARDED: "WSGI"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What shows a difference.

    Attributes:
        apps: which are asked.
        asks: names of the requests, with wildcards.
        aspects: what differs then: ``status``, ``body``, ``header NAME``; of an app that answers with what it was
            asked, ``body.FIELD`` and ``body.headers.NAME``.
    """

    apps: tuple[str, ...]
    asks: tuple[str, ...]
    aspects: frozenset[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of a table.

    Attributes:
        what: is different.
        on_lambda: what happens there.
        in_task: what happens there.
        seen: by which requests.
    """

    what: str
    on_lambda: str
    in_task: str
    seen: tuple[Seen, ...]

    @property
    def apps(self) -> str:
        """The frameworks for people."""
        return ", ".join(dict.fromkeys(NAMES[app] for one in self.seen for app in one.apps))


def _seen(apps: Iterable[str], asks: Iterable[str], *aspects: str) -> Seen:
    return Seen(tuple(apps), tuple(asks), frozenset(aspects))


ON_AWS = (
    Difference(
        "the query as text, behind a REST API",
        "made anew of its parameters: `a` becomes `a=`, `%20` becomes `+`, equal names stand together",
        "as it was sent",
        (
            _seen(
                (FLASK, DJANGO, ASGI),
                [f"query {name}" for name in ("no value", "space", "equals", "semicolon", "order", "no UTF-8")],
                "body.query",
            ),
        ),
    ),
    Difference(
        "the body of a `GET`",
        "lost, with its type; an ASGI app gets it in base64",
        "handed to the app",
        (
            _seen((FLASK,), ["method GET"], "body.headers.content-type"),
            _seen((FLASK,), ["body of GET"], "body.body", "body.headers.content-type"),
            _seen((DJANGO, ASGI), ["body of GET"], "body.body"),
        ),
    ),
    Difference(
        "a body that is said to be text and is no UTF-8, behind an HTTP API",
        "what is no UTF-8 is replaced",
        "handed to the app as it is",
        (_seen((FASTAPI,), ["body binary as text"], "body.body"),),
    ),
    Difference(
        "an answer without a `Content-Type`",
        "API Gateway adds `application/json`",
        "stays without",
        (
            _seen((FASTAPI,), ["answer redirect", "answer empty", "slash missing"], "header content-type"),
            _seen((ASGI,), ["answer redirect", "answer empty"], "header content-type"),
        ),
    ),
    Difference(
        "the traceback in zappa's answer to an exception",
        "names zappa's modules and the folders of Lambda",
        "names those of the task",
        (_seen((FASTAPI, ASGI), ["answer boom"], "body"),),
    ),
)
"""True ones, which AWS would show as well."""

EMBEDDED = (
    Difference(
        "the answer to a preflight",
        "`{}`",
        "empty, as API Gateway's",
        (
            _seen((CHALICE, GUARDED), ["preflight * without origin"], *(
                "body", "header access-control-allow-headers", "header access-control-allow-methods",
                "header access-control-allow-origin",
            )),
            _seen((CHALICE,), ["preflight /cors/own without origin"], *(
                f"header access-control-{name}" for name in ("allow-credentials", "expose-headers", "max-age")
            )),
            _seen((CHALICE, GUARDED), ["preflight /*"], "body"),
        ),
    ),
    Difference(
        "the headers of CORS where a request names no `Origin`",
        "left out",
        "sent, as API Gateway does",
        (
            _seen((CHALICE,), ["token let me in below", "token let me in to delete"],
                  "header access-control-allow-headers", "header access-control-allow-origin"),
        ),
    ),
    Difference(
        "`OPTIONS` at an HTTP API without CORS",
        "403, `CORS not configured`",
        "handed to the app, as API Gateway does",
        (_seen((FASTAPI,), ["method OPTIONS"], "status", "body"),),
    ),
    Difference(
        "a header that is sent twice, in `headers` of a REST API's event",
        "both values, joined",
        "the last value; `multiValueHeaders` has both",
        (
            _seen((CHALICE,), ["header repeated"], "body.headers.x-own"),
            _seen((CHALICE,), ["header cookies"], "body.headers.cookie"),
        ),
    ),
    Difference(
        "binary types where `Accept` names several types",
        "count only if the whole header is one",
        "the first type counts",
        (
            _seen((CHALICE,), ["bytes accepted among others"], "body"),
        ),
    ),
)  # fmt: skip
"""What the embedded AWS does otherwise than API Gateway, as far as its documentation tells."""


def expected(app: str, ask: str) -> frozenset[str]:
    """Return in what the fronts differ by the tables, for a request to an app."""
    found: frozenset[str] = frozenset()
    for difference in (*ON_AWS, *EMBEDDED):
        for seen in difference.seen:
            if app in seen.apps and any(fnmatchcase(ask, one) for one in seen.asks):
                found |= seen.aspects
    return found


def unused(shown: Iterable[tuple[str, str]]) -> list[str]:
    """Return what no request has shown, of the differences; ``shown`` has apps with names of requests."""
    pairs = list(shown)
    return [
        f"{difference.what}: {app} {pattern}"
        for difference in (*ON_AWS, *EMBEDDED)
        for seen in difference.seen
        for app in seen.apps
        for pattern in seen.asks
        if not any(one == app and fnmatchcase(ask, pattern) for one, ask in pairs)
    ]


def table(differences: Iterable[Difference], fronts: str = "on Lambda | in a task") -> str:
    """Return a table for the docs."""
    rows = [f"| {one.what} | {one.on_lambda} | {one.in_task} | {one.apps} |" for one in differences]
    return "\n".join([f"| what | {fronts} | seen with |", "| --- | --- | --- | --- |", *rows]) + "\n"
