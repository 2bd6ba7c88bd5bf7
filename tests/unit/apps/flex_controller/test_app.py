"""The triggers: everything is a hint on one topic, one function acts on it, and the API only reads."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import plain_chalice
import pytest

APP = Path(__file__).parents[4] / "apps" / "flex_controller"
SETTINGS = {
    "AWS_DEFAULT_REGION": "us-east-1", "TOPIC": "flex-controller-platform_hints",
    "NAMESPACE": "auto-lambda/platform/flex-controller", "ROLE": "auto-lambda/flex/flex-stacks",
}  # fmt: skip
ROW = {"app": "shop", "stage": "dev", "phase": "lambda", "why": "not granted: arn:aws:iam::111122223333:role/x"}
Load = Callable[..., ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """The app, imported as on Lambda: its folder is the top."""

    def loaded(**environment: str) -> ModuleType:
        for name, value in {**SETTINGS, **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(APP))
        monkeypatch.setitem(sys.modules, "chalice", plain_chalice.module())
        spec = importlib.util.spec_from_file_location("flex_controller_app", APP / "app.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        rows = [SimpleNamespace(told=lambda: {**ROW, "stuck": False, "next": None})]
        monkeypatch.setattr(module, "_convergence", lambda: SimpleNamespace(look=lambda: rows))
        return module

    yield loaded
    for name in [name for name in sys.modules if name.partition(".")[0] == "chalicelib"]:
        del sys.modules[name]


def test_the_clock_is_one_hint_on_the_account_s_own_topic(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load()
    published: list[dict[str, str]] = []
    monkeypatch.setattr(module, "_client", lambda _: SimpleNamespace(publish=lambda **told: published.append(told)))
    arn = "arn:aws:lambda:us-east-1:123456789012:function:tick:live"
    module.tick(SimpleNamespace(context=SimpleNamespace(invoked_function_arn=arn)))
    (told,) = published
    assert told["TopicArn"] == "arn:aws:sns:us-east-1:123456789012:flex-controller-platform_hints"


@pytest.mark.parametrize(
    ("message", "source"),
    [
        ('{"AlarmName": "al-Flex-shop-dev-High", "NewStateValue": "ALARM"}', "al-Flex-shop-dev-High"),
        ('{"kind": "tick"}', "tick"),
        ("not json", "unknown"),
        ("[1]", "unknown"),
        pytest.param("[" * 30_000, "unknown", id="deep"),
    ],
)
def test_everything_on_the_topic_starts_a_run_whatever_it_says(
    load: Load, monkeypatch: pytest.MonkeyPatch, message: str, source: str
) -> None:
    module = load()
    lines: list[str] = []
    runs: list[bool] = []
    telling = SimpleNamespace(log=lambda event, **told: lines.append(told["source"]))
    monkeypatch.setattr(module, "_convergence", lambda: SimpleNamespace(telling=telling, run=lambda: runs.append(True)))
    module.converge(SimpleNamespace(message=message))
    assert (lines, runs) == ([source], [True])


def test_the_status_and_the_page_are_signed_for(load: Load) -> None:
    module = load()
    assert {route: kept.authorizer for route, kept in module.app.routes.items()} == {
        "GET /": "iam", "GET /stack-status": "iam",
    }  # fmt: skip
    assert module.stack_status()["apps"][0]["why"] == ROW["why"]


def test_who_wants_can_make_them_public_and_then_no_account_is_named(load: Load) -> None:
    module = load(PUBLIC_STATUS="yes")
    assert {kept.authorizer for kept in module.app.routes.values()} == {None}
    told = json.dumps(module.stack_status())
    assert "111122223333" not in told + module.index().body
    assert "arn:aws:iam::...:role/x" in told


def test_the_page_is_html_that_runs_nothing(load: Load) -> None:
    answer: Any = load().index()
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "shop" in answer.body


@pytest.mark.parametrize(
    ("endpoint", "emulator"),
    [
        ("http://127.0.0.1:4566/", "http://127.0.0.1:4566"),
        ("", ""),
        ("https://vpce-1.cloudformation.us-east-1.vpce.amazonaws.com", ""),
    ],
)
def test_load_balancers_are_below_the_endpoint_of_an_emulator_only(load: Load, endpoint: str, emulator: str) -> None:
    assert load(AWS_ENDPOINT_URL=endpoint)._emulator() == emulator
