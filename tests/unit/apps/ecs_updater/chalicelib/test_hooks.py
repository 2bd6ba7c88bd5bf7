"""Which webhooks are believed. Forged, malformed and oversized ones are refused, each with a plain answer."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
from ecs_updater.chalicelib import hooks
from ecs_updater.chalicelib.hooks import MOST_BYTES, Hint, Refused
from ecs_updater.chalicelib.http import Answer
from hypothesis import given
from hypothesis import strategies as st

SECRETS = {"hook-token": "t0ken", "github-secret": "s3cret"}
HUB = {"push_data": {"tag": "1.1.0", "pusher": "acme"}, "repository": {"repo_name": "acme/shop"}}


def secret(name: str) -> str | None:
    return SECRETS.get(name)


def body(told: object) -> bytes:
    return json.dumps(told).encode()


def sign(data: bytes, key: str = "s3cret") -> str:
    return "sha256=" + hmac.new(key.encode(), data, hashlib.sha256).hexdigest()


def test_docker_hub_is_believed_by_the_token_in_its_url() -> None:
    assert hooks.docker_hub("t0ken", body(HUB), secret) == Hint("docker-hub", "acme/shop:1.1.0")


@pytest.mark.parametrize("event", ["package", "registry_package"])
def test_github_is_believed_by_its_signature(event: str) -> None:
    told = body({event: {"namespace": "acme", "name": "shop"}})
    assert hooks.github(sign(told), event, told, secret) == Hint("github", "acme/shop")
    ping = body({"zen": "Keep it logically awesome."})
    assert hooks.github(sign(ping), "ping", ping, secret) is None


@pytest.mark.parametrize("told", [b"", b"{}", b'{"image": "acme/shop:1"}'])
def test_any_ci_is_believed_by_its_token(told: bytes) -> None:
    assert hooks.plain("Bearer t0ken", told, secret).source == "post"


FORGED: list[tuple[Callable[[], object], int]] = [
    (lambda: hooks.docker_hub("wrong", body(HUB), secret), 404),
    (lambda: hooks.docker_hub("", body(HUB), secret), 404),
    (lambda: hooks.docker_hub("", body(HUB), lambda _: None), 404),
    (lambda: hooks.docker_hub("", body(HUB), lambda _: ""), 404),
    (lambda: hooks.docker_hub("tökén", body(HUB), secret), 404),
    (lambda: hooks.docker_hub("\ud800", body(HUB), secret), 404),
    (lambda: hooks.github("\ud800", "package", b"{}", secret), 401),
    (lambda: hooks.plain("Bearer \ud800", b"", secret), 401),
    (lambda: hooks.github(sign(b"{}", "other"), "package", b"{}", secret), 401),
    (lambda: hooks.github(sign(b"other"), "package", b"{}", secret), 401),
    (lambda: hooks.github("", "package", b"{}", secret), 401),
    (lambda: hooks.github(sign(b"{}", ""), "package", b"{}", lambda _: None), 401),
    (lambda: hooks.plain("t0ken", b"", secret), 401),
    (lambda: hooks.plain("Basic t0ken", b"", secret), 401),
    (lambda: hooks.plain("Bearer ", b"", lambda _: None), 401),
]


@pytest.mark.parametrize(("call", "status"), FORGED)
def test_a_forged_webhook_is_refused(call: Callable[[], object], status: int) -> None:
    with pytest.raises(Refused) as refused:
        call()
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (b"not json", 400),
        (b"[]", 400),
        (b"[" * 30_000, 400),
        (body({}), 400),
        (body({**HUB, "repository": "acme/shop"}), 400),
        (body({**HUB, "push_data": {"tag": 7}}), 400),
        (body({**HUB, "push_data": {"tag": "a\nb"}}), 400),
        (body({**HUB, "push_data": {"tag": "a" * 201}}), 400),
        (b" " * (MOST_BYTES + 1), 413),
    ],
)
def test_a_malformed_webhook_is_refused(told: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        hooks.docker_hub("t0ken", told, secret)
    assert refused.value.status == status


@given(st.binary(max_size=200))
def test_no_body_breaks_the_hooks(told: bytes) -> None:
    with pytest.raises(Refused):
        hooks.docker_hub("t0ken", told, secret)
    with pytest.raises(Refused):
        hooks.github(sign(told), "package", told, secret)


@pytest.mark.parametrize(
    "url",
    [
        None, "", "http://registry.hub.docker.com/u/acme/shop/hook/1/", "https://registry.hub.docker.com.example/u/a",
        "https://user@registry.hub.docker.com/u/a", "https://registry.hub.docker.com:8443/u/a", "https://example.com/u/a",
        "https://registry.hub.docker.com/v2/", "file:///etc/passwd", "http://169.254.169.254/u/", "https://[/u/",
    ],
)  # fmt: skip
def test_a_call_back_elsewhere_is_never_made(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*_: object, **__: object) -> None:
        raise AssertionError("it was called")

    monkeypatch.setattr(hooks, "ask", called)
    assert not hooks.call_back(url)


def test_a_call_back_of_docker_hubs_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(url: str, **_: object) -> Answer:
        asked.append(url)
        return Answer(200)

    monkeypatch.setattr(hooks, "ask", ask)
    url = "https://registry.hub.docker.com/u/acme/shop/hook/123/"
    assert hooks.call_back(url)
    assert asked == [url]
