"""How commands end: the exit codes of the contract, and errors that are told in a line instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer


class Exit(IntEnum):
    """What the exit code of every command means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    INTERRUPTED = 130


def tell(text: str) -> None:
    """A line for people, on stderr; stdout is for results."""
    typer.echo(text, err=True)


def leave(code: Exit, text: str) -> typer.Exit:
    """Tell why, and the exception to raise."""
    tell(text)
    return typer.Exit(int(code))


@contextmanager
def plain_errors() -> Iterator[None]:
    """What AWS or its client complains of, in one line; nothing was done then, so it counts as wrong usage."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        raise leave(
            Exit.USAGE,
            "AWS knows nobody here: log in (for example with `aws sso login`) or set AWS_PROFILE; "
            "to try things out without AWS: auto-lambda local up",
        ) from None
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise leave(Exit.USAGE, f"AWS says: {error}") from None
