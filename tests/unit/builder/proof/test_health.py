"""An app that starts and then answers 5xx is told with its traceback before anything is deployed."""

from __future__ import annotations

from typing import Any

import pytest

from auto_lambda.errors import AppError, Code

REQUEST = {"httpMethod": "GET"}
FAILING = """
import logging, shop
def handler(event, context):
    try:
        return {"statusCode": 200, "body": shop.page()}
    except Exception:
        logging.getLogger("web").exception("on / [GET]")
        return {"statusCode": 500, "body": "Internal Server Error"}
"""


def ask(proving: Any, page: str, app: str = FAILING, **more: Any) -> tuple[str, ...]:
    files = {"app.py": app, "shop.py": f"import os\ndef page():\n    {page}\n"}
    return tuple(proving(files, first_event=REQUEST, health=True, **more).warnings)


def refused(proving: Any, page: str, app: str = FAILING, **more: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        ask(proving, page, app, **more)
    assert "/code/" not in caught.value.message
    return caught.value


def test_an_error_of_the_apps_own_is_unhealthy_with_its_traceback(proving: Any) -> None:
    error = refused(proving, "return [].first")
    assert error.code is Code.UNHEALTHY
    assert error.message.startswith("GET / was answered 500 when the package was tested:\n")
    assert '  File "shop.py", line 3, in page' in error.message
    assert error.message.endswith("AttributeError: 'list' object has no attribute 'first'")
    assert "health_path" in error.hint


def test_the_traceback_is_whole_to_its_cause(proving: Any) -> None:
    error = refused(proving, "\n    ".join((
        "try:", "    return {}['colour']", "except KeyError as error:", "    raise ValueError('no shop') from error",
    )))  # fmt: skip
    assert "KeyError: 'colour'" in error.message
    assert error.message.endswith("ValueError: no shop")


def test_an_environment_of_wsgi_is_no_variable(proving: Any) -> None:
    assert refused(proving, "environ = {}; return environ['PATH_INFO']").code is Code.UNHEALTHY


def test_a_module_that_only_a_request_needs_is_named(proving: Any) -> None:
    error = refused(proving, "import flask_cors")
    assert error.code is Code.UNHEALTHY
    assert "flask-cors" in error.hint.lower().replace("_", "-")


def test_a_traceback_in_the_answer_counts_too(proving: Any) -> None:
    app = (
        "import traceback, shop\ndef handler(event, context):\n    try:\n        shop.page()\n    except Exception:\n"
        "        return {'statusCode': 500, 'body': repr(traceback.format_exc())}\n"
    )
    assert refused(proving, "return [].first", app).message.endswith("no attribute 'first'")


SWALLOWED = """db = None
    import socket
    try:
        db = socket.create_connection(("192.0.2.1", 5432), 1)
    except OSError:
        pass
    return db.rows"""


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 5432), 1)", "OSError"),
        ("import urllib.request; urllib.request.urlopen('http://db.example/')", "URLError"),
        ("import boto3; boto3.client('s3').list_buckets()", "EndpointConnectionError"),
        ("return os.environ['COLOR'].upper()", "KeyError: 'COLOR'"),
        ("return int(os.getenv('SIZE'))", "TypeError"),
        ("import botocore.exceptions as it; raise it.NoCredentialsError()", "NoCredentialsError"),
        (SWALLOWED, "AttributeError"),
    ],
)
def test_what_may_be_there_on_lambda_is_a_warning(proving: Any, page: str, words: str) -> None:
    (warning,) = ask(proving, page)
    assert warning.startswith("GET / was answered 500 when the package was tested (")
    assert words in warning
    assert "only the deployment will show it" in warning


def test_an_answer_without_an_exception_is_a_warning(proving: Any) -> None:
    app = "def handler(event, context):\n    return {'statusCode': 503, 'body': 'db: down'}\n"
    (warning,) = ask(proving, "pass", app)
    assert warning.startswith("GET / was answered 503 when the package was tested: ")


def test_where_variables_are_made_by_the_deployment_it_is_a_warning(proving: Any) -> None:
    functions = {"Main": {"Environment": {"Variables": {"QUEUE": {"Fn::GetAtt": ["Queue", "Arn"]}}}}}
    (warning,) = ask(proving, "return [].first", functions=functions)
    assert "AttributeError" in warning


@pytest.mark.parametrize("status", ["200", "404", "'not a number'", "None", "True", "10**400"])
def test_other_answers_are_fine(proving: Any, status: str) -> None:
    app = f"def handler(event, context):\n    return {{'statusCode': {status}}}\n"
    assert ask(proving, "pass", app) == ()


def test_an_exception_that_was_dealt_with_before_the_request_does_not_count(proving: Any) -> None:
    app = (
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()\n"
        "def handler(event, context):\n    return {'statusCode': 500}\n"
    )
    (warning,) = ask(proving, "pass", app)
    assert "ZeroDivisionError" not in warning


def test_an_answer_that_does_not_count_is_not_judged(proving: Any) -> None:
    files = {"app.py": FAILING, "shop.py": "def page():\n    1 / 0\n"}
    assert proving(files, first_event=REQUEST).warnings == ()


def test_what_is_printed_at_a_request_is_in_the_log(proving: Any) -> None:
    said: list[str] = []
    with pytest.raises(AppError):
        ask(proving, "print('asked'); 1 / 0", said=said)
    assert "asked" in said


HUNG: dict[str, Any] = {"functions": {"Main": {"Timeout": 1}}}


def test_an_app_that_does_not_answer_is_unhealthy_and_the_place_is_told(proving: Any) -> None:
    error = refused(proving, "__import__('threading').Event().wait()", **HUNG)
    assert error.code is Code.UNHEALTHY
    assert error.message.startswith("GET / was not answered within 1 seconds when the package was tested\n")
    assert error.message.endswith('  File "app.py", line 5, in handler\n  File "shop.py", line 3, in page')
    assert "health_path" in error.hint


def test_an_endless_loop_is_told_as_well(proving: Any) -> None:
    assert 'File "shop.py", line 3, in page' in refused(proving, "while True: pass", **HUNG).message


def test_an_app_that_hangs_after_it_has_tried_to_use_a_network_is_warned_of(proving: Any) -> None:
    page = "s = __import__('socket').socket()\n    s.connect_ex(('192.0.2.1', 5432))\n    __import__('time').sleep(60)"
    (warning,) = ask(proving, page, **HUNG)
    assert warning.startswith("GET / was not answered within 1 seconds when the package was tested: it may be for want")


def test_an_app_that_is_imported_for_too_long_at_its_first_request_is_too_slow(proving: Any) -> None:
    error = refused(proving, "import slow", app=FAILING, site={"slow.py": "import time\ntime.sleep(9)\n"}, **HUNG)
    assert error.code is Code.INIT_TOO_SLOW


def test_the_other_functions_of_an_app_that_hangs_are_started_as_well(proving: Any) -> None:
    functions = {**HUNG["functions"], "Job": {"Environment": {"Variables": {"MODE": "job"}}}}
    app = f"import os\nassert os.environ.get('MODE') != 'job', 'no jobs today'\n{FAILING}"
    error = refused(proving, "__import__('time').sleep(60)", app, functions=functions)
    assert "no jobs today" in error.message
