"""The choice of a pipeline: the one that the environment names, else a running local stack."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auto_lambda import keys
from auto_lambda_cli.exits import Exit, leave
from auto_lambda_cli.running_stacks import RunningStack, running

if TYPE_CHECKING:
    from auto_lambda.aws.s3 import ObjectStore

BUCKET = "AUTO_LAMBDA_UPLOADS_BUCKET"
LOCAL_PORT = "AUTO_LAMBDA_LOCAL_PORT"


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket to upload to. ``endpoint`` is None on AWS itself."""

    bucket: str
    endpoint: str | None

    def __str__(self) -> str:
        if self.endpoint:
            return f"bucket {self.bucket} at {self.endpoint}"
        return f"bucket {self.bucket} on AWS"

    def store(self) -> ObjectStore:
        """Return its objects."""
        from auto_lambda.aws.s3 import ObjectStore
        from auto_lambda.aws.session import client, make_session

        return ObjectStore(client(make_session(), "s3"))


def choose(
    *,
    local: bool,
    bucket: str | None,
    environ: MutableMapping[str, str] = os.environ,
    stacks: list[RunningStack] | None = None,
) -> Target:
    """Choose a pipeline, and point this process's AWS clients to it.

    ``--local`` chooses a running local stack. Without it, a given bucket counts (``--bucket`` or
    ``AUTO_LAMBDA_UPLOADS_BUCKET``); without a bucket and without ``AWS_ENDPOINT_URL``, a running local stack.
    If several run, ``AUTO_LAMBDA_LOCAL_PORT`` selects one.

    Raises:
        typer.Exit: with code 2; the message says what is missing, or which stacks there are.
    """
    if bucket and not local:
        return Target(bucket, environ.get("AWS_ENDPOINT_URL"))
    if not local and "AWS_ENDPOINT_URL" in environ:
        raise leave(Exit.USAGE, f"AWS_ENDPOINT_URL is set, but no bucket: set {BUCKET} too, or use --bucket")
    up = running() if stacks is None else stacks
    if up:
        return _enter(_only(up, environ.get(LOCAL_PORT)), environ)
    if local:
        raise leave(Exit.USAGE, "no local stack is running: start one in another terminal with `auto-lambda local up`")
    raise leave(
        Exit.USAGE,
        f"which pipeline? Name its bucket with --bucket or {BUCKET},\n"
        "or start a local one in another terminal: auto-lambda local up",
    )


def _only(up: list[RunningStack], port: str | None) -> RunningStack:
    """Return the one stack that is meant, without guessing."""
    found = [stack for stack in up if not port or stack.port == port]
    if len(found) == 1:
        return found[0]
    names = "\n".join(f"  {LOCAL_PORT}={stack.port}  (process {stack.pid}, files in {stack.folder})" for stack in up)
    if not found:
        raise leave(Exit.USAGE, f"{LOCAL_PORT} is {port}, but no local stack runs on that port. Running:\n{names}")
    raise leave(Exit.USAGE, f"{len(found)} local stacks are running. Choose one by setting:\n{names}")


def app_named(name: str, stage: str) -> keys.App:
    """Return the app of this name and stage.

    Raises:
        typer.Exit: with code 2; what is wrong with the name or stage has been printed.
    """
    try:
        return keys.App(stage, name)
    except keys.BadKey as error:
        raise leave(Exit.USAGE, str(error)) from None


def setting(name: str, environ: MutableMapping[str, str] = os.environ) -> str:
    """Return a setting of the chosen pipeline.

    Raises:
        typer.Exit: with code 2; which setting is missing has been printed.
    """
    if value := environ.get(name):
        return value
    raise leave(Exit.USAGE, f"{name} is not set: it is among the outputs of the pipeline's stack")


def _enter(pipeline: RunningStack, environ: MutableMapping[str, str]) -> Target:
    there = pipeline.environ_over(environ)
    for name in environ.keys() - there.keys():
        del environ[name]
    environ.update(there)
    return Target(pipeline.bucket, pipeline.endpoint)
