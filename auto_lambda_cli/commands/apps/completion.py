"""Completion in a shell: names and stages of apps, from the bucket. Anything that fails completes nothing."""

from __future__ import annotations

import os

import typer

_SECONDS = 3  # a person waits for it, with the shell blocked


def app_names(context: typer.Context, incomplete: str) -> list[str]:
    """Complete an app's name, of the stage if one was given."""
    stage = context.params.get("stage")
    named = context.get_parameter_source("stage") if stage else None
    chosen = stage if named is not None and named.name == "COMMANDLINE" else None
    return [one for one in sorted({name for _, name in _apps(context, chosen)}) if one.startswith(incomplete)]


def stages(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a stage."""
    return [one for one in sorted({stage for stage, _ in _apps(context, None)}) if one.startswith(incomplete)]


def _apps(context: typer.Context, stage: str | None) -> list[tuple[str, str]]:
    try:
        return _listed(context, stage)
    except (Exception, SystemExit):  # noqa: BLE001 - a message would end up in the line that is being typed
        return []


def _listed(context: typer.Context, stage: str | None) -> list[tuple[str, str]]:
    import contextlib

    from auto_lambda import keys
    from auto_lambda.aws.s3 import ObjectStore
    from auto_lambda.aws.session import client, make_session
    from auto_lambda_cli.target import BUCKET, choose

    bucket = context.params.get("bucket") or os.environ.get(BUCKET)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
        target = choose(local=bool(context.params.get("local")), bucket=bucket)
    store = ObjectStore(client(make_session(), "s3", read_timeout=_SECONDS, attempts=1))
    found = []
    for head in store.list(target.bucket, keys.PREFIX + (f"{stage}/" if stage else "")):
        if head.key.endswith(keys.SUFFIX):
            with contextlib.suppress(keys.BadKey):
                app = keys.parse(head.key)
                found.append((app.stage, app.name))
    return found
