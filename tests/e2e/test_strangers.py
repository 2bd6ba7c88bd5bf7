"""Apps that nobody here wrote: chalice's own project templates, httpbin and datasette through zappa."""

from __future__ import annotations

from typing import Any

import pytest
from e2e_apps import TEMPLATE_BUCKET
from e2e_stack import Drop, Stack


@pytest.fixture
def live(stack: Stack, drops: dict[str, Drop]) -> Any:
    return lambda name: stack.live(drops[name])


@pytest.mark.parametrize("name", ["template-rest", "template-legacy"])
def test_a_rest_template_answers(stack: Stack, live: Any, name: str) -> None:
    assert stack.http(live(name)["url"]).json == {"hello": "world"}


def test_the_functions_template_answers(stack: Stack, live: Any) -> None:
    assert live("template-functions")["url"] is None
    assert stack.invoke(stack.function("template-functions", "first_function"), {}) == {"hello": "world"}
    assert stack.invoke(stack.function("template-functions", "second_function"), {}) == {"hello": "world2"}


def test_the_s3_template_hears_of_its_bucket(stack: Stack, live: Any) -> None:
    live("template-s3")
    notifications = stack.s3.get_bucket_notification_configuration(Bucket=TEMPLATE_BUCKET)
    (to_function,) = notifications["LambdaFunctionConfigurations"]
    assert to_function["LambdaFunctionArn"].endswith(f":{stack.function('template-s3', 's3_handler')}:live")


def test_the_table_template_in_its_sub_folder_keeps_users(stack: Stack, live: Any) -> None:
    url = str(live("template-users")["url"]).rstrip("/")
    user = b'{"username": "visitor", "colour": "green"}'
    assert stack.http(f"{url}/users", "POST", body=user, headers={"Content-Type": "application/json"}).status == 200
    assert stack.http(f"{url}/users/visitor").json == {"username": "visitor", "colour": "green"}


def test_httpbin_gives_back_what_it_gets(stack: Stack, live: Any) -> None:
    url = str(live("httpbin")["url"]).rstrip("/")
    got = stack.http(f"{url}/anything/here?a=1&b=%C3%BC", "PUT", body=b"some text", headers={"X-Mine": "yes"}).json
    assert (got["method"], got["args"], got["data"]) == ("PUT", {"a": "1", "b": "ü"}, "some text")
    assert got["headers"]["X-Mine"] == "yes"


def test_httpbin_answers_bytes_and_statuses(stack: Stack, live: Any) -> None:
    url = str(live("httpbin")["url"]).rstrip("/")
    assert stack.http(f"{url}/status/418").status == 418
    assert stack.http(f"{url}/image/png", headers={"Accept": "image/png"}).body.startswith(b"\x89PNG")


def test_datasette_answers_sql(stack: Stack, live: Any) -> None:
    url = str(live("tables")["url"]).rstrip("/")
    assert stack.http(f"{url}/_memory.json?sql=select+6*7&_shape=arrayfirst").json == [42]


def test_apps_without_settings_get_those_that_zappa_init_would_write(stack: Stack, live: Any) -> None:
    assert stack.http(live("unsettled")["url"]).json == {"said": "hello from fastapi"}
    settings = [live(name)["settings"] for name in ("unsettled", "httpbin")]
    assert [one["text"] for one in settings] == [
        '{"dev": {"app_function": "main.app", "app_type": "asgi"}}', '{"dev": {"app_function": "httpbin.core.app"}}',
    ]  # fmt: skip
    assert all(one["file"].endswith("zappa_settings.json") for one in settings)
    assert settings[0]["text"] in live("unsettled")["warnings"][0]
