"""What the console says of itself, of who asks, and of error codes."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from auto_lambda import __version__, keys
from auto_lambda_cli.console.answers import in_parts
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.views import STEPS
from auto_lambda_cli.selection import NO_PART, SECRETS
from auto_lambda_cli.sources import errors_page

_SECTION = re.compile(r"^### `([a-z0-9-]+)`\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])+)\]\([^()\s]+\)")  # of our own pages


def about(context: ConsoleContext, _: PageRequest) -> Any:
    """Describe the pipeline and what the page has to know. No call of AWS."""
    target, limits = context.target, context.limits
    return {
        "version": __version__,
        "bucket": target.bucket,
        "endpoint": target.endpoint,
        "local": target.endpoint is not None,
        "region": context.environ.get("AWS_REGION") or context.environ.get("AWS_DEFAULT_REGION"),
        "stages_default": keys.DEFAULT_STAGE,
        "steps": STEPS,
        "name_pattern": keys.NAME_PATTERN,
        "limits": {
            "zip_bytes": limits.zip_bytes, "folder_files": limits.folder_files, "folder_bytes": limits.folder_bytes
        },
        "folder": {"skip": [*NO_PART, *SECRETS]},
    }  # fmt: skip


def identity(context: ConsoleContext, _: PageRequest) -> Any:
    """Tell whose credentials these are."""
    return in_parts({"identity": context.part(lambda: _identity(context))})


def _identity(context: ConsoleContext) -> dict[str, str]:
    from auto_lambda.aws.sts import whoami

    arn = whoami(context.services.client("sts"))
    return {"arn": arn, "account": arn.split(":")[4]}


def help_on_error(_: ConsoleContext, asked: PageRequest) -> Any:
    """Return what the reference says of an error code.

    Raises:
        Problem: it says nothing of it.
    """
    code = asked.path["code"]
    if text := _sections().get(code):
        return {"code": code, "text": text}
    raise Problem("no-such-page", "the reference has no such error code")


@cache
def _sections() -> dict[str, str]:
    page = errors_page().read_text()
    # Links lead to other pages of the documentation, which are not here.
    return {code: _LINK.sub(r"\1", text).strip() for code, text in _SECTION.findall(page)}
