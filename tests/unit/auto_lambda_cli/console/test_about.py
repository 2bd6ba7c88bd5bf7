from __future__ import annotations

from unittest.mock import Mock

import pytest
from commands import BUCKET
from console import Page

from auto_lambda.errors import Code
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.routes.about import help_on_error


def test_the_console_describes_itself_without_asking_aws(page: Page) -> None:
    about = page.get("api/about").json
    assert (about["bucket"], about["local"], about["region"]) == (BUCKET, False, "us-east-1")
    assert about["steps"][0] == "fetch"
    assert ".git" in about["folder"]["skip"]


def test_it_says_whose_credentials_it_uses(page: Page) -> None:
    assert page.get("api/identity").value("identity")["account"] == "123456789012"


@pytest.mark.parametrize("code", list(Code))
def test_every_error_code_is_explained(code: Code) -> None:
    told = help_on_error(Mock(), PageRequest({"code": code}))
    assert told["code"] == code
    assert len(told["text"]) > 60
    assert "](" not in told["text"]


def test_an_error_code_is_explained_as_text(page: Page) -> None:
    answer = page.get("api/help/errors/not-a-zip")
    assert answer.json["text"].startswith("The object's name ends in `.zip`")
    assert answer.headers["content-type"] == "application/json"


def test_what_is_no_error_code_is_not_explained(page: Page) -> None:
    answer = page.get("api/help/errors/nothing")
    assert (answer.status, answer.error["code"]) == (404, "no-such-page")
