from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import Code
from auto_lambda.keys import App
from builder.frameworks.zappa.early import file_problems
from builder.model import Options

APP = "def app(environ, start_response): ...\ndef job(event, context): ...\n"
GOOD: Mapping[str, Any] = {"app_function": "shop.app"}


def problems(
    root: Path, settings: Mapping[str, Any], options: Any = None, stage: Any = "dev", **files: str
) -> list[tuple[Code, str]]:
    for name, text in {"shop": APP, **files}.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "zappa_settings.json").write_text(json.dumps({"dev": settings}))
    return [(one.code, one.message) for one in file_problems(root, stage, App("dev", "shop"), options or Options())]


def test_all_that_the_files_show_is_found_at_once(tmp_path: Path) -> None:
    settings = {
        "app_function": "shop", "alb_enabled": True, "assume_policy": "trust.json", "attach_policy": "policy.json",
        "memory_size": "large", "timeout_seconds": [], "use_apigateway": True, "tags": {"a": 1}, "cors": True,
        "events": [
            {"function": "shop.nothing", "expression": "rate(1 day)"},
            {"function": "shop.job"},
            {"function": "shop.job", "event_source": {"arn": "arn:aws:polly:us-east-1:123456789012:x"}},
        ],
    }  # fmt: skip
    found = problems(tmp_path, settings, old='x = 1\nprint "two"\n')
    told = "\n".join(message for _, message in found)
    for word in (
        "'alb_enabled'", "'assume_policy'", "app_function 'shop' is not of the form", "'policy.json'", "memory_size is",
        "timeout_seconds is", "tags.a is", "events[0].function is 'shop.nothing', but shop.py defines no 'nothing'",
        "events[1].expression", "polly", "old.py, line 2 is written in Python 2",
    ):  # fmt: skip
        assert word in told
    assert {code for code, _ in found} == {
        Code.UNSUPPORTED_SETTING, Code.COMPILE_FAILED, Code.MISSING_POLICY_FILE, Code.BAD_CONFIG, Code.HANDLER_MISSING,
        Code.SYNTAX_ERROR,
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        GOOD,
        {"app_function": "shop.app", "events": [{"function": "shop.job", "expression": "rate(1 day)"}]},
        {"app_function": "installed.by.a.dependency.app"},
        {"app_function": "pack.app"},  # a submodule
        {"app_function": "pack.views.app"},
        {"lambda_handler": "own.handler", "use_apigateway": False},
        {"django_settings": "pack.views"},
        {"app_function": "made.app", "prebuild_script": "make.run"},  # it may write anything
        {"app_function": "made.app", "callbacks": {"settings": "make.run"}},
        {**GOOD, "exclude": ["legacy"], "cache_cluster_ttl": "x", "use_apigateway": False},
    ],
)
def test_what_may_be_right_is_no_problem(tmp_path: Path, settings: Mapping[str, Any]) -> None:
    (tmp_path / "requirements.txt").write_text("installed-by==1\n")
    old = {"legacy/old": "print 'x'\n"} if "exclude" in settings else {}
    assert (
        problems(tmp_path, settings, **{"pack/__init__": "", "pack/views": "app = 1", "pack/app": ""}, make="", **old)
        == []
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"app_function": "shop.application"}, "shop.py defines no 'application'"),
        ({"app_function": "main.app"}, "there is no module 'main'"),
        ({"app_function": "pack.nothing.app"}, "there is no module 'pack.nothing'"),
        ({"django_settings": "site.settings"}, "there is no module 'site.settings'"),
        ({**GOOD, "exception_handler": "shop.oops"}, "exception_handler is 'shop.oops'"),
        ({**GOOD, "authorizer": {"function": "shop.allow"}}, "authorizer.function is 'shop.allow'"),
        ({**GOOD, "authorizer": {"type": "REQUEST"}}, "authorizers of type TOKEN only"),
        ({**GOOD, "aws_environment_variables": {"A": "x" * 4100}}, "aws_environment_variables: all variables together"),
        ({**GOOD, "tags": {"aws:team": "x"}}, "the tag 'aws:team' is not the app's to set"),
    ],
)
def test_what_is_named_and_not_there(tmp_path: Path, settings: Mapping[str, Any], told: str) -> None:
    ((_, message),) = problems(tmp_path, settings, **{"pack/__init__": ""})
    assert told in message


def test_a_module_elsewhere_on_pythonpath_is_not_missing(tmp_path: Path) -> None:
    options = Options(environment={"PYTHONPATH": "src"})
    assert problems(tmp_path, {"app_function": "main.app"}, options, **{"src/main": "app = 1"}) == []


@pytest.mark.parametrize(
    "value", ["../x.app", "/etc/passwd.x", "a\0b.c", "..", "shop..app", "é.app", "x" * 9000 + ".y"]
)
def test_odd_names_are_left_to_zappa_or_refused(tmp_path: Path, value: str) -> None:
    assert len(problems(tmp_path, {"app_function": value})) <= 1


def test_without_a_stage_the_code_is_looked_at(tmp_path: Path) -> None:
    found = problems(tmp_path, {"alb_enabled": True}, stage=None, old="print 'x'")
    assert [code for code, _ in found] == [Code.SYNTAX_ERROR]


@pytest.mark.parametrize("line", ["print 'x'", "exec 'x'", "x = 10L", "raise E, 'x'", "x = `1`", "if 1 <> 2: pass"])
def test_python_2_is_known_by_its_syntax(tmp_path: Path, line: str) -> None:
    ((code, message),) = problems(tmp_path, GOOD, old=f"x = 1\n{line}\n")
    assert code == Code.SYNTAX_ERROR
    assert f"old.py, line 2 is written in Python 2: {line}" in message


@pytest.mark.parametrize("text", ["def broken(:\n", "x = f'{x['01']}'\n", "type X = int\n", "if True:\nx = 1\n"])
def test_another_syntax_error_is_left_to_the_python_that_the_app_gets(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, GOOD, old=text) == []
