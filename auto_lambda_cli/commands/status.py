"""``auto-lambda status``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from auto_lambda import drops, keys
from auto_lambda.errors import brief
from auto_lambda.receipts import Receipt
from auto_lambda.redact import one_line, printable
from auto_lambda_cli.exits import Exit, counted, leave, plain_errors, say, tell
from auto_lambda_cli.progress.view import COLOURS, WIDEST, words
from auto_lambda_cli.target import choose


def status(*, prefix: str, as_json: bool, local: bool, bucket: str | None) -> None:
    """Print one line for each app, or one JSON document with every receipt."""
    target, unseen = choose(local=local, bucket=bucket), list[str]()
    with plain_errors(), _listing_may_be_limited(prefix):
        apps = list(drops.every(target.store(), target.bucket, prefix, unseen.append))
    if unseen:
        tell(f"{counted(len(unseen), 'app')} not shown: with these credentials, the receipts may not be read")
    if as_json:
        rows = [(key, receipt or queued(key)) for key, receipt, _ in apps]
        say(json.dumps([{**(receipt.stored or {}), "key": key} for key, receipt in rows], indent=2))
    elif not apps:
        what = f"no app whose key begins with {keys.PREFIX}{prefix}" if prefix else "no app yet"
        tell(f"there is {'none to show' if unseen else what} in {target}: auto-lambda deploy FOLDER --name NAME")
    else:
        tell(str(target))
        _print(apps)


@contextmanager
def _listing_may_be_limited(prefix: str) -> Iterator[None]:
    from botocore.exceptions import ClientError

    from auto_lambda.aws.s3 import denied

    try:
        yield
    except ClientError as error:
        if prefix or not denied(error):
            raise
        told = f"AWS says: {error}\nWhoever may list only some apps says which: auto-lambda status --prefix STAGE/NAME"
        raise leave(Exit.USAGE, told) from None


def queued(key: str) -> Receipt:
    """Return the receipt of a zip that has none yet."""
    try:
        app = keys.parse(key)
    except keys.BadKey:
        return Receipt.from_json({"app": None, "stage": None, "status": "queued"})
    return Receipt.from_json({"app": app.name, "stage": app.stage, "status": "queued"})


def _print(entries: Iterable[drops.Entry]) -> None:
    from auto_lambda_cli.tables import show

    show(_HEADINGS, map(_cells, entries), _style)


def _style(column: int, cell: str) -> str:
    return COLOURS.get(cell.split(":")[0], "") if column == _STATUS else ""


_HEADINGS = ("app", "stage", "status", "when (UTC)", "where or why")
_STATUS = 2


def _cells(entry: drops.Entry) -> tuple[str, ...]:
    key, found, is_there = entry
    receipt = found or queued(key)
    removed = found and found.undeployed and not is_there
    state = "undeployed" if removed else words(receipt)
    when = f"{receipt.updated:%Y-%m-%d %H:%M:%S}" if receipt.updated else ""
    name, stage, short = (one_line(cell, WIDEST) for cell in (receipt.app or key, receipt.stage or "", state))
    return (name, stage, short, when, _what(receipt))


def _what(receipt: Receipt) -> str:
    live = receipt.live or (receipt if receipt.serving is None else None)
    where = one_line((live.url or live.function or "") if live else "")
    if error := receipt.error:
        why = one_line(f"{error.code}: {brief(printable(error.message))}")
        return f"{why} (still live: {where})" if where else why
    return where
