"""``auto-lambda releases``."""

from __future__ import annotations

import json

from auto_lambda.redact import one_line
from auto_lambda_cli.commands.apps.common import Name, Stage, asked
from auto_lambda_cli.exits import plain_errors, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.queries.releases import ListedRelease
from auto_lambda_cli.queries.releases import releases as ask

_HEADER = ("release", "dropped (UTC)", "outcome", "version", "python", "by")


def releases(
    name: Name, stage: Stage = "dev", as_json: AsJson = False, local: Local = False, bucket: Bucket = None
) -> None:
    """List an app's releases, the newest first: each version of its zip, what became of it, and which one is live.

    The first characters of a release's id name it wherever one is asked for, at least four: `rollback --to`,
    `promote --release`.

    Example: `auto-lambda releases shop --stage prod`
    """
    from auto_lambda_cli.tables import show

    about = asked(name, stage, local=local, bucket=bucket)
    with plain_errors():
        told = ask(about.services, about.app)
        if not told.listed:
            raise about.missing()
    for unknown in told.unknown:
        tell(str(unknown))
    if as_json:
        say(json.dumps([it.as_json() for it in told.listed], indent=2))
    else:
        tell(f"{about.app}, {about.target}")
        show(_HEADER, map(_cells, told.listed))


def _cells(one: ListedRelease) -> tuple[str, ...]:
    outcome = "live now" if one.live else (f"failed: {one.code}" if one.code else one.outcome or "")
    back = f" (again {one.rollback[: len(one.short)]})" if one.rollback else ""
    dropped = f"{one.dropped:%Y-%m-%d %H:%M:%S}" if one.dropped else ""
    cells = (one.short, dropped, outcome + back, one.function_version or "", one.python or "", one.by or "")
    return tuple(map(one_line, cells))
