from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import Code
from auto_lambda.keys import App
from builder.frameworks.zappa.early import file_problems, old_code_warnings
from builder.frameworks.zappa.settings import StageSettings
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
    found = problems(tmp_path, settings, shop=f"import old\n{APP}", old='x = 1\nprint "two"\n')
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
        (
            {**GOOD, "aws_environment_variables": {"LONG": "x" * 4100}},
            "aws_environment_variables: all variables together",
        ),
        ({**GOOD, "tags": {"aws:team": "x"}}, "the tag 'aws:team' is not the app's to set"),
    ],
)
def test_what_is_named_and_not_there(tmp_path: Path, settings: Mapping[str, Any], told: str) -> None:
    ((_, message),) = problems(tmp_path, settings, **{"pack/__init__": ""})
    assert told in message


REFUSED: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({"memory_size": 64}, "memory_size: 64 is less than the minimum of 128"),
    ({"memory_size": "20000"}, "memory_size: 20000 is greater than the maximum of 10240"),
    ({"timeout_seconds": 901}, "timeout_seconds: 901 is greater than the maximum of 900"),
    ({"ephemeral_storage": {"Size": 100}}, "ephemeral_storage: 100 is less than the minimum of 512"),
    ({"ephemeral_storage": {"Size": "100"}}, "ephemeral_storage: 100 is less than the minimum of 512"),
    ({"lambda_concurrency": -1}, "lambda_concurrency: -1 is less than the minimum of 0"),
    ({"vpc_config": {"SubnetIds": ["net"]}}, 'vpc_config: "net" does not match'),
    ({"layers": [f"arn:aws:lambda:us-east-1:123456789012:layer:x:{n}" for n in range(6)]}, "layers: "),
    ({"snap_start": "Always"}, 'snap_start: "Always" is none of "PublishedVersions", "None"'),
    ({"lambda_description": "x" * 257}, "lambda_description: "),
    ({"tags": {"team": "x" * 257}}, "tags: "),
    ({"aws_environment_variables": {"MY-VAR": "x"}}, "aws_environment_variables: 'MY-VAR'"),
    ({"payload_minimum_compression_size": 10_485_761}, "payload_minimum_compression_size: 10485761 is greater"),
    ({"cache_cluster_enabled": True, "cache_cluster_size": 3}, 'cache_cluster_size: "3" is none of "0.5", "1.6"'),
    ({"cache_cluster_enabled": True, "cache_cluster_ttl": 3601}, "cache_cluster_ttl: 3601 is greater than"),
    ({"async_response_table": "answers", "async_response_table_read_capacity": 0},
     "async_response_table_read_capacity: 0 is less"),
    ({"function_url_enabled": True, "function_url_config": {"cors": {"maxAge": 86401}}},
     "function_url_config.cors: 86401"),
    ({"events": [{"function": "shop.job", "expression": "rate(1 minutes)"}]},
     "events[0].expression: 'rate(1 minutes)' is not a schedule: it is rate(1 minute)"),
    ({"events": [{"function": "shop.job", "expressions": ["rate(1 day)", "cron(0 12 * * *)"]}]},
     "events[0].expressions: 'cron(0 12 * * *)' is not a schedule: cron takes six fields"),
    ({"keep_warm_expression": "rate(4 minute)"}, "keep_warm_expression: 'rate(4 minute)'"),
    ({"events": [{"function": "shop.job", "event_source": {
        "arn": "arn:aws:sqs:us-east-1:123456789012:jobs", "batch_size": 20_000}}]}, "batch_size: 20000 is greater"),
    ({"events": [{"function": "shop.job", "event_source": {
        "arn": "arn:aws:sqs:us-east-1:123456789012:jobs.fifo", "batch_size": 10, "batch_window": 5}}]},
     "batch_window: 5 seconds, and Lambda waits for no more messages of a FIFO queue"),
    ({"events": [{"function": "shop.job", "event_source": {
        "arn": "arn:aws:sqs:us-east-1:123456789012:jobs", "batch_size": 100, "batch_window": 0}}]},
     "batch_size: 100 messages at once: above 10, Lambda wants a batching window"),
)  # fmt: skip


@pytest.mark.parametrize(("settings", "told"), REFUSED)
def test_a_value_that_aws_would_refuse(tmp_path: Path, settings: Mapping[str, Any], told: str) -> None:
    ((code, message),) = problems(tmp_path, {**GOOD, **settings})
    assert code == Code.BAD_CONFIG
    assert message.startswith("AWS would refuse the zappa setting ")
    assert told in message


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"num_retained_versions": 0}, "num_retained_versions is 0, but has to be"),
        ({"provisioned_concurrency": -1}, "provisioned_concurrency is -1, but has to be"),
        ({"keep_warm_expression": 4}, "keep_warm_expression is 4, but has to be text"),
        ({"aws_environment_variables": {"AWS_REGION": "x"}}, "AWS_REGION"),
    ],
)
def test_a_value_that_is_refused_here(tmp_path: Path, settings: Mapping[str, Any], told: str) -> None:
    ((code, message),) = problems(tmp_path, {**GOOD, **settings})
    assert (code, told in message) == (Code.BAD_CONFIG, True)


def test_all_values_that_aws_would_refuse_are_told_at_once(tmp_path: Path) -> None:
    settings = {
        **GOOD, "memory_size": 64, "timeout_seconds": 1000, "ephemeral_storage": {"Size": 1}, "alb_enabled": True,
        "events": [{"function": "shop.job", "expression": one} for one in ("every day", "cron()")],
    }  # fmt: skip
    told = [message for _, message in problems(tmp_path, settings)]
    assert len(told) == 6
    for word in ("alb_enabled", "memory_size", "timeout_seconds", "ephemeral_storage", "events[0]", "events[1]"):
        assert sum(word in one for one in told) == 1


def test_what_a_stage_may_have_is_no_problem(tmp_path: Path) -> None:
    settings = {
        **GOOD, "memory_size": "512", "timeout_seconds": 900, "lambda_concurrency": 0,
        "snap_start": "PublishedVersions", "cache_cluster_enabled": True, "cache_cluster_size": 1.6, "keep_warm": False,
        "tags": {"team": "x"},
        "function_url_enabled": True, "async_source": "sns", "async_response_table": "answers",
        "vpc_config": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, "authorizer": {"function": "shop.job"},
        "events": [
            {"function": "shop.job", "expressions": ["rate(5 minutes)", "cron(0 12 * * ? *)"]},
            {"function": "shop.job", "event_source": {
                "arn": "arn:aws:sqs:us-east-1:123456789012:a", "batch_size": 100}},
            {"function": "shop.job", "event_source": {
                "arn": "arn:aws:events:us-east-1:123456789012:rule/x", "event_pattern": {"source": ["shop"]}}},
        ],
    }  # fmt: skip
    assert problems(tmp_path, settings) == []


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
    ((code, message),) = problems(tmp_path, GOOD, shop=f"import old\n{APP}", old=f"x = 1\n{line}\n")
    assert code == Code.SYNTAX_ERROR
    assert f"old.py, line 2 is written in Python 2: {line}" in message


@pytest.mark.parametrize("text", ["def broken(:\n", "x = f'{x['01']}'\n", "type X = int\n", "if True:\nx = 1\n"])
def test_another_syntax_error_is_left_to_the_python_that_the_app_gets(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, GOOD, shop=f"import old\n{APP}", old=text) == []


@pytest.mark.parametrize("settings", [GOOD, {"lambda_handler": "shop.job"}, {"django_settings": "shop"}])
def test_python_2_that_is_not_loaded_with_the_app_gives_a_warning(tmp_path: Path, settings: Mapping[str, Any]) -> None:
    assert problems(tmp_path, settings, **{"scripts/old": "print 'x'\n"}) == []
    (warning,) = old_code_warnings(tmp_path, StageSettings(settings))
    assert warning.startswith("scripts/old.py, line 1 is written in Python 2: print 'x'; it would fail if")
    assert old_code_warnings(tmp_path, StageSettings({**settings, "exclude": ["scripts"]})) == ()


def test_django_loads_packages_that_no_import_names(tmp_path: Path) -> None:
    files = {"shop/__init__": "", "shop/settings": "", "items/__init__": "", "items/models": "print 'x'\n"}
    ((code, message),) = problems(tmp_path, {"django_settings": "shop.settings"}, **files)
    assert (code, message[:15]) == (Code.SYNTAX_ERROR, "items/models.py")


@pytest.mark.parametrize(
    ("code", "more", "told"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()\n", {}, "an ASGI app (fastapi.FastAPI), and zappa would call"),
        ("import flask\napp = flask.Flask('x')\n", {"app_type": "asgi"}, "a WSGI app (flask.Flask), and app_type"),
        ("from tornado.web import Application\napp = Application()\n", {}, "an app of Tornado, which only a server"),
        ("from aiohttp import web\napp = web.Application()\n", {"app_type": "asgi"}, "an app of aiohttp"),
    ],
)
def test_an_app_that_zappa_cannot_call_so(tmp_path: Path, code: str, more: Mapping[str, Any], told: str) -> None:
    ((_, message),) = problems(tmp_path, {"app_function": "shop.app", **more}, shop=code)
    assert told in message


@pytest.mark.parametrize(
    "code",
    [
        "from fastapi import FastAPI\napp = FastAPI()\napp = ASGIMiddleware(app)\n",
        "app = make()\n",
        "from x import app\n",
    ],
)
def test_a_wrapped_app_may_be_right(tmp_path: Path, code: str) -> None:
    assert problems(tmp_path, {"app_function": "shop.app"}, shop=code) == []


def test_a_module_by_the_name_of_one_that_python_has_loaded_is_never_imported(tmp_path: Path) -> None:
    ((code, message),) = problems(tmp_path, {"app_function": "site.app"}, site="app = 1\n")
    assert code == Code.HANDLER_MISSING
    assert "Python has loaded a module 'site' of its own" in message
