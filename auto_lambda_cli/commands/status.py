"""``auto-lambda status``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from auto_lambda import drops, keys
from auto_lambda_cli.exits import plain_errors, tell
from auto_lambda_cli.progress.view import COLOURS, words
from auto_lambda_cli.target import choose


def status(*, as_json: bool, local: bool, bucket: str | None) -> None:
    """Print one line for each app, or one JSON document with every receipt."""
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        apps = list(drops.every(target.store(), target.bucket))
    if as_json:
        rows = [(key, row(key, receipt)) for key, receipt, _ in apps]
        typer.echo(json.dumps([{**fields, "key": key} for key, fields in rows], indent=2))
    elif not apps:
        tell(f"there is no app yet in {target}: auto-lambda deploy FOLDER --name NAME")
    else:
        tell(str(target))
        _print(apps)


def row(key: str, receipt: drops.Receipt | None) -> Mapping[str, Any]:
    """Return a receipt's fields; a zip without a receipt is queued."""
    if receipt is not None:
        return receipt.fields
    try:
        app = keys.parse(key)
    except keys.BadKey:
        return {"app": None, "stage": None, "status": "queued"}
    return {"app": app.name, "stage": app.stage, "status": "queued"}


def _print(apps: Iterable[drops.Entry]) -> None:
    """Align all columns but the last one, which is neither padded nor wrapped: a URL can be copied, a line grepped."""
    from rich.console import Console
    from rich.text import Text

    lines = [_HEADINGS, *map(_cells, apps)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS) - 1)]
    console = Console(highlight=False)
    for line in lines:
        texts = [Text(f"{cell:<{width}}  ") for cell, width in zip(line, widths, strict=False)]
        texts[_STATUS].stylize("bold" if line is _HEADINGS else COLOURS.get(line[_STATUS].split(":")[0], ""))
        console.print(Text.assemble(*texts, line[-1]), soft_wrap=True)


_HEADINGS = ("app", "stage", "status", "when (UTC)", "where or why")
_STATUS = 2


def _cells(entry: drops.Entry) -> tuple[str, ...]:
    key, receipt, is_there = entry
    fields = row(key, receipt)
    removed = receipt and receipt.undeployed and not is_there
    state = "undeployed" if removed else words(drops.Receipt(fields))
    when = str(fields.get("updated") or "")[:19].replace("T", " ")
    return (fields["app"] or key, fields.get("stage") or "", state, when, _what(fields))


def _what(fields: Mapping[str, Any]) -> str:
    serving = fields.get("serving") or {}
    where = serving.get("url") or serving.get("function") or fields.get("url") or fields.get("function") or ""
    if problem := fields.get("error"):
        why = textwrap.shorten(f"{problem['code']}: {problem['message']}", _LONGEST, placeholder=" ...")
        return f"{why} (still live: {where})" if where else why
    return where


_LONGEST = 300
"""Characters of a message; a message may go on after a colon and a line break, so the first line is not enough."""
