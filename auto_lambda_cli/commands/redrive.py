"""``auto-lambda redrive``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from auto_lambda.redact import one_line
from auto_lambda_cli.exits import Exit, counted, plain_errors, say, tell
from auto_lambda_cli.queries.services import Services
from auto_lambda_cli.target import choose, setting

if TYPE_CHECKING:
    from worker.operations.redrive import DeadLetter


def redrive(app: str | None, *, dry_run: bool, as_json: bool, local: bool, bucket: str | None) -> int:
    """List the messages in the dead-letter queue, and send them back to the queue."""
    from auto_lambda_cli.queries.operations import redrive as redriving

    target = choose(local=local, bucket=bucket)
    with plain_errors():
        back = redriving(Services.of(target.bucket, os.environ), setting)
        rows = []
        for dead_letter in list(back.dead_letters()):
            if app and not any(app in (one, one.rpartition("/")[2]) for one in dead_letter.apps):
                back.release(dead_letter)
                continue
            rows.append(_row(dead_letter, sent=not dry_run))
            if dry_run:
                back.release(dead_letter)
            else:
                back.send_back(dead_letter)
    if as_json:
        say(json.dumps(rows, indent=2))
    else:
        _print(rows)
    return Exit.OK


def _row(dead_letter: DeadLetter, *, sent: bool) -> dict[str, Any]:
    return {
        "message": dead_letter.message.id,
        "apps": list(dead_letter.apps),
        "class": dead_letter.code,
        "reason": dead_letter.reason,
        "attempts": dead_letter.attempts,
        "log": list(dead_letter.log),
        "sent_back": sent,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        what = one_line(" ".join(row["apps"]) or row["message"])
        say(f"{what}: {row['class']}, tried {counted(row['attempts'], 'time')}")
        say("\n".join(f"    {one_line(line)}" for line in (row["reason"], *row["log"])))
    sent = sum(row["sent_back"] for row in rows)
    tell(f"{counted(len(rows), 'message')} in the dead-letter queue, {sent} sent back")
