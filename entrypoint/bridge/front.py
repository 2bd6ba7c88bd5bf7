"""What a REST API does itself before it calls a function: routes, authorizers, preflights, binary types.

As JSON, in a task's ``front``::

    {"stage": "api", "binary": ["image/png"],
     "routes": {"/things/{id}": {"GET": {"authorizer": "check"}, "OPTIONS": {"fixed": 0}}},
     "authorizers": {"check": {"handler": "app.check", "header": "Authorization", "pattern": null, "ttl": 300,
                               "timeout": 10}},
     "fixed": [{"status": 200, "headers": {"Access-Control-Allow-Origin": "*"}}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AnyMethod = "ANY"


@dataclass(frozen=True, slots=True)
class Fixed:
    """An answer that no function gives: to a CORS preflight."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Method:
    """What becomes of a request: a function is called, or a fixed answer given."""

    authorizer: str | None = None
    fixed: Fixed | None = None


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A function that decides who may call, told the token alone.

    Attributes:
        handler: ``module.function``.
        header: that holds the token.
        pattern: that the token has to match, or none.
        ttl: how many seconds a decision is kept.
        timeout: seconds for one decision.
    """

    handler: str
    header: str
    pattern: str | None
    ttl: int
    timeout: int


@dataclass(frozen=True, slots=True)
class Match:
    """Where a request leads.

    Attributes:
        resource: the path as it is declared.
        parameters: of the path, as they were sent.
        method: what becomes of the request.
        path: the request's, written in the one way that authorizers know: as declared, with the parameters as sent.
    """

    resource: str
    parameters: Mapping[str, str]
    method: Method
    path: str


@dataclass(frozen=True, slots=True)
class Front:
    """A REST API as far as requests meet it."""

    stage: str
    binary: tuple[str, ...]
    routes: Mapping[str, Mapping[str, Method]]
    authorizers: Mapping[str, Authorizer]

    def find(self, method: str, path: str) -> Match | None:
        """Return where a request leads; None if nothing serves it.

        Literal segments win over parameters, and parameters over a rest such as ``{proxy+}``, which also serves the
        methods that a closer resource lacks.

        Args:
            method: as sent.
            path: as sent, percent-encoded.
        """
        parts = [part for part in path.split("/") if part]
        found = [(rank, name, given) for name in self.routes for rank, given in _matches(name, parts)]
        nearest = True
        for _, name, given in sorted(found, key=lambda one: one[0]):
            methods = self.routes[name]
            chosen = methods.get(method) or methods.get(AnyMethod)
            if chosen and (nearest or _is_greedy(name)):
                return Match(name, given, chosen, _filled(name, given))
            nearest = False
        return None

    def is_binary(self, media_type: str | None) -> bool:
        """Return whether bodies of a media type, the first of several, are passed on as bytes."""
        wanted = (media_type or "").partition(",")[0].partition(";")[0].strip().lower()
        family, slash, _ = wanted.partition("/")
        kinds = {wanted, f"{family}/*" if slash else "", "*/*"}
        return any(one and one.lower() in kinds for one in self.binary)


PASS_ALL = Front(
    stage="$default",
    binary=("*/*",),
    routes={"/": {AnyMethod: Method()}, "/{proxy+}": {AnyMethod: Method()}},
    authorizers={},
)
"""Of a REST API that hands everything to one function."""


def read(given: Mapping[str, Any]) -> Front:
    """Read the description that the worker has written.

    Raises:
        ValueError: it is none.
    """
    try:
        fixed = [Fixed(one["status"], one["headers"]) for one in given["fixed"]]
        return Front(
            stage=str(given["stage"]),
            binary=tuple(given["binary"]),
            routes={
                path: {name: _method(one, fixed) for name, one in of.items()} for path, of in given["routes"].items()
            },
            authorizers={name: Authorizer(**one) for name, one in given["authorizers"].items()},
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"front describes no REST API: {error!r}") from error


def _method(given: Mapping[str, Any], fixed: Sequence[Fixed]) -> Method:
    return Method(given.get("authorizer"), fixed[given["fixed"]] if "fixed" in given else None)


def _matches(resource: str, parts: list[str]) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    wanted = [part for part in resource.split("/") if part]
    greedy = bool(wanted) and _is_greedy(wanted[-1])
    if len(parts) < len(wanted) or (len(parts) > len(wanted) and not greedy):
        return
    rank, given = [], {}
    for index, one in enumerate(wanted):
        if _is_greedy(one):
            rank.append(2)
            given[one[1:-2]] = "/".join(parts[index:])
        elif one.startswith("{"):
            rank.append(1)
            given[one[1:-1]] = parts[index]
        elif one == parts[index]:
            rank.append(0)
        else:
            return
    yield tuple(rank), given


def _filled(resource: str, parameters: Mapping[str, str]) -> str:
    return "/".join(parameters[part.strip("{+}")] if part.startswith("{") else part for part in resource.split("/"))


def _is_greedy(part: str) -> bool:
    return part.endswith("+}")
