"""Say how apps of other deployment tools (SAM, CloudFormation, the Serverless Framework) are said here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from builder.source import documents
from builder.source.other_tools.sam import FUNCTION, SAM_FUNCTION, sam_app
from builder.source.other_tools.serverless import serverless_app
from builder.source.other_tools.tables import mapping, say_it

_SAM_FILES = ("template.yaml", "template.yml")
_TEMPLATES = (
    *_SAM_FILES, "template.json", "cloudformation.yaml", "cloudformation.yml", "cloudformation.json", "sam.json",
    "sam.yaml", "stack.yaml", "stack.yml", "stack.json", "resources.json", "resources.yaml", "resources.yml",
)  # fmt: skip
_SERVERLESS_FILES = ("serverless.yml", "serverless.yaml")
_OURS = ("AWS::Lambda::", "AWS::Serverle")  # functions, and what calls them
_PACKAGED = ("sam.json", "sam.yaml")
"""What ``chalice package`` writes beside the zip of its functions."""


def other_tool(top: Path, shown: str) -> AppError | None:
    """Return the error for a zip that is meant for another tool, None if it is meant for none.

    Args:
        top: the top of the app's tree.
        shown: that folder inside the zip, ``""`` or ending in a slash, for messages.

    Raises:
        AppError: ``bad-config``: its file can't be read.
    """
    for name in _SAM_FILES:
        if (top / name).is_file() and (app := sam_app(documents.read_template(top / name, shown + name), top)):
            return _refused(f"{shown}{name} is a template of SAM", str(app))
    for name in _SERVERLESS_FILES:
        if (top / name).is_file():
            data = documents.read_template(top / name, shown + name)
            what = f"{shown}{name} is a configuration of the Serverless Framework"
            return _web_app(data, what) or _refused(what, str(serverless_app(data)))
    return None


def functions_in_template(top: Path, shown: str) -> AppError | None:
    """Return the error for a zip in which only a template of CloudFormation names functions; see `other_tool`."""
    packaged = next((name for name in _PACKAGED if (top / name).is_file()), None)
    if packaged and any(top.glob("*deployment.zip")):
        return AppError(
            Code.NO_FRAMEWORK,
            f"{shown}{packaged} is what `chalice package` has written, not the app itself",
            hint="Zip the chalice project's own folder, with app.py and .chalice/config.json.",
        )
    for name, data in _templates(top, shown):
        for kind, tool in ((SAM_FUNCTION, "SAM"), (FUNCTION, "CloudFormation")):
            if app := sam_app(data, top, kind):
                return _refused(f"{shown}{name} is a template of {tool}", str(app))
    return None


def ignored_templates(top: Path, shown: str) -> tuple[str, ...]:
    """Return a warning for each template of CloudFormation beside an app, whose resources are not made."""
    found = []
    for name, data in _templates(top, shown):
        kinds = [one.get("Type") for one in mapping(data, "Resources").values() if isinstance(one, dict)]
        if kinds := [
            one for one in kinds if isinstance(one, str) and one.startswith("AWS::") and one[:13] not in _OURS
        ]:
            made = documents.join_names(dict.fromkeys(kinds))
            found.append(
                f"{shown}{name} is a template of CloudFormation, which is ignored: what it makes ({made}) has to exist "
                "already"
            )
    return tuple(found)


def _templates(top: Path, shown: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in _TEMPLATES:
        if (top / name).is_file():
            try:
                yield name, documents.read_template(top / name, shown + name)
            except AppError:
                continue  # a file by that name may be anything


def _refused(what: str, said: str) -> AppError:
    return AppError(Code.NO_FRAMEWORK, f"{what}, which is not read here", hint=say_it(said))


def _web_app(data: Mapping[str, Any], what: str) -> AppError | None:
    """Return the error for a configuration that has a plugin call a WSGI application."""
    app = mapping(mapping(data, "custom"), "wsgi").get("app")
    if not isinstance(app, str):
        return None
    variables = documents.join_names(mapping(mapping(data, "provider"), "environment"))
    settings = {"dev": {"app_function": app.replace("/", ".")}}
    named = f"; its variables ({variables}) go into environment_variables there" if variables else ""
    return AppError(
        Code.NO_FRAMEWORK, f"{what}, which is not read here",
        hint=f"Save this as zappa_settings.json{named}: {json.dumps(settings)}",
    )  # fmt: skip
