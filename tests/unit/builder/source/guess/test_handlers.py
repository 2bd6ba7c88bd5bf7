from __future__ import annotations

from pathlib import Path

import pytest

from builder.source.guess.handlers import handler_tables
from builder.source.options import read
from builder.source.problems import Problems

HANDLER = "def handler(event, context): ...\n"


def tables(folder: Path, **modules: str) -> str:
    for name, text in modules.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return handler_tables(folder)


@pytest.mark.parametrize(
    "code",
    [
        HANDLER,
        "def handler(event, _context=None): ...",
        "def handler(_event: dict, _: object) -> None: ...",
        "@logger.inject_lambda_context\ndef handler(event, context): ...",
    ],
)
def test_a_handler_is_named_with_its_module(tmp_path: Path, code: str) -> None:
    assert tables(tmp_path, simple=code) == '[functions.simple]\nhandler = "simple.handler"'


def test_a_function_by_another_name_counts_where_none_is_called_a_handler(tmp_path: Path) -> None:
    assert tables(tmp_path, sns="def run(event, context): ...") == '[functions.sns]\nhandler = "sns.run"'


def test_helpers_with_the_same_arguments_are_not_named_beside_a_handler(tmp_path: Path) -> None:
    code = f"{HANDLER}def log(event, context): ..."

    assert tables(tmp_path, simple=code, tools="def log(event, context): ...").count("[") == 1


def test_each_handler_gets_a_table_of_its_own(tmp_path: Path) -> None:
    found = tables(
        tmp_path, jobs__orders=HANDLER, both="def a_handler(event, context): ...\ndef b_handler(event, context): ..."
    )

    assert found.splitlines() == [
        "[functions.both-a_handler]", 'handler = "both.a_handler"',
        "[functions.both-b_handler]", 'handler = "both.b_handler"',
        "[functions.jobs-orders]", 'handler = "jobs.orders.handler"',
    ]  # fmt: skip


def test_the_tables_are_such_as_are_read(tmp_path: Path) -> None:
    found = tables(tmp_path, _own=HANDLER, jobs__orders=HANDLER, jobs_orders=HANDLER, **{"a" * 60: HANDLER})
    (tmp_path / "auto-lambda.toml").write_text(found)
    problems = Problems()
    options = read(tmp_path, "", problems)

    assert not problems.found
    assert len(options.functions) == 3  # 'jobs-orders' and 'jobs_orders' would be one


@pytest.mark.parametrize(
    "modules",
    [
        {"simple": "def handler(request): ..."},
        {"simple": "def handler(event, context, more): ..."},
        {"simple": "def handler(event, context, *, more): ..."},
        {"simple": "def outer():\n    def handler(event, context): ..."},
        {"simple": "class Shop:\n    def handler(event, context): ..."},
        {"simple": "async def handler(event, context): ..."},
        {"simple": "def handler(event, context:"},
        {"app": "from chalice import Chalice\n@app.lambda_function()\ndef handler(event, context): ..."},
        {"tests__simple": HANDLER},
        {"test_simple": HANDLER},
        {"a-b": HANDLER},
        {},
    ],
)
def test_what_is_no_handler_of_the_app_is_not_named(tmp_path: Path, modules: dict[str, str]) -> None:
    assert tables(tmp_path, **modules) == ""
