"""``auto-lambda status --history``."""

from __future__ import annotations

import json

from auto_lambda.redact import one_line
from auto_lambda_cli.exits import Exit, plain_errors, say, tell
from auto_lambda_cli.target import app_named, choose, setting

NEWEST = 50


def history(name: str, stage: str, *, as_json: bool, local: bool, bucket: str | None) -> int:
    """Print an app's attempts, newest first, and return the exit code."""
    from auto_lambda.attempts import Attempt
    from auto_lambda.aws.dynamodb import Table
    from auto_lambda.aws.session import client, make_session
    from auto_lambda_cli.queries.history import AppHistory

    app = app_named(name, stage)
    choose(local=local, bucket=bucket)
    with plain_errors():
        table = Table(client(make_session(), "dynamodb"), setting("AUTO_LAMBDA_TABLE"))
        attempts = AppHistory(table).attempts(app, NEWEST)

    def line(it: Attempt) -> str:
        took = f"{sum((it.timings or {}).values()):.1f} s" if it.timings else ""
        words = (f"{it.started:%Y-%m-%d %H:%M:%S}", it.outcome or "interrupted or running", it.code, it.object_version)
        back = f"rollback to {it.rollback}" if it.rollback else ""
        by = f"by {it.by}" if it.by else ""
        return "  ".join(one_line(word) for word in (*words, back, it.step, took, it.worker, by) if word)

    if as_json:
        say(json.dumps([it.as_json() for it in attempts], indent=2))
    elif not attempts:
        tell(f"there was no attempt to deploy {app} in the last 90 days")
    else:
        tell(f"{app}, newest first: started (UTC), outcome, zip version, step, seconds, worker, who dropped it")
        say("\n".join(map(line, attempts)))
    return Exit.OK if attempts else Exit.FAILED
