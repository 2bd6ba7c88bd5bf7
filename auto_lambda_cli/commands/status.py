"""``auto-lambda status``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

from auto_lambda import drops, keys
from auto_lambda_cli.exits import plain_errors, tell
from auto_lambda_cli.progress.view import COLOURS, words
from auto_lambda_cli.target import choose


def status(*, as_json: bool, local: bool, bucket: str | None) -> None:
    """Print a table, or one JSON document with every receipt."""
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        apps = [row(key, receipt) for key, receipt in drops.every(target.store(), target.bucket)]
    if as_json:
        typer.echo(json.dumps([{**fields, "key": key} for key, fields in apps], indent=2))
    elif not apps:
        tell(f"{target} holds no app yet: auto-lambda deploy FOLDER --name NAME")
    else:
        tell(str(target))
        _print(apps)


def row(key: str, receipt: drops.Receipt | None) -> tuple[str, Mapping[str, Any]]:
    """A key with its receipt's fields; a zip that nobody has taken up yet is queued."""
    if receipt is not None:
        return key, receipt.fields
    try:
        app = keys.parse(key)
    except keys.BadKey:
        return key, {"app": None, "stage": None, "status": "queued"}
    return key, {"app": app.name, "stage": app.stage, "status": "queued"}


def _print(apps: list[tuple[str, Mapping[str, Any]]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("app", "stage", "status", "when (UTC)", box=None, pad_edge=False)
    table.add_column("where or why", overflow="fold")
    for key, fields in apps:
        state = Text(words(drops.Receipt(fields)), COLOURS.get(fields["status"], ""))
        when = str(fields.get("updated") or "")[:19].replace("T", " ")
        table.add_row(Text(fields["app"] or key), fields.get("stage") or "", state, when, Text(_what(fields)))
    console = Console()
    if not console.is_terminal:
        console.width = 1000  # a line an app, for grep
    console.print(table)


def _what(fields: Mapping[str, Any]) -> str:
    serving = fields.get("serving") or {}
    where = serving.get("url") or serving.get("function") or fields.get("url") or fields.get("function") or ""
    if problem := fields.get("error"):
        why = f"{problem['code']}: {problem['message'].splitlines()[0]}"
        return f"{why} (still live: {where})" if where else why
    return where
