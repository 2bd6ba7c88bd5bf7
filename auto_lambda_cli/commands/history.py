"""``auto-lambda status --history``."""

from __future__ import annotations

import json

from auto_lambda.attempts import Attempt
from auto_lambda.redact import one_line
from auto_lambda_cli.exits import Exit, plain_errors, say, tell
from auto_lambda_cli.queries.releases import SHORTEST
from auto_lambda_cli.target import app_named, choose, setting

NEWEST = 50


def history(name: str, stage: str, *, as_json: bool, local: bool, bucket: str | None) -> int:
    """Print an app's attempts, newest first, and return the exit code."""
    from auto_lambda.aws.dynamodb import Table
    from auto_lambda.aws.session import client, make_session
    from auto_lambda_cli.queries.history import AppHistory

    app = app_named(name, stage)
    choose(local=local, bucket=bucket)
    with plain_errors():
        table = Table(client(make_session(), "dynamodb"), setting("AUTO_LAMBDA_TABLE"))
        attempts = AppHistory(table).attempts(app, NEWEST)

    if as_json:
        say(json.dumps([it.as_json() for it in attempts], indent=2))
    elif not attempts:
        tell(f"there was no attempt to deploy {app} in the last 90 days")
    else:
        from auto_lambda_cli.tables import show

        tell(f"{app}, the newest first")
        show(_HEADING, map(_cells, attempts))
    return Exit.OK if attempts else Exit.FAILED


_HEADING = ("started (UTC)", "outcome", "release", "step", "took", "worker", "by")


def _cells(it: Attempt) -> tuple[str, ...]:
    took = f"{sum(it.timings.values()):.1f} s" if it.timings else ""
    outcome = f"{it.outcome or 'interrupted or running'}{f': {it.code}' if it.code else ''}"
    back = f" (again {it.rollback[:SHORTEST]})" if it.rollback else ""
    cells = (
        f"{it.started:%Y-%m-%d %H:%M:%S}", outcome + back, (it.object_version or "")[:SHORTEST], it.step, took,
        it.worker, it.by,
    )  # fmt: skip
    return tuple(one_line(str(cell or "")) for cell in cells)
