"""How commands end: their exit codes, and errors as one line instead of a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

from auto_lambda.redact import printable
from auto_lambda_cli.aws_errors import AwsTrouble, code_of, trouble

if TYPE_CHECKING:
    import typer  # the console, which is small, uses some of this without it


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    INTERRUPTED = 130


def tell(text: str) -> None:
    """Print a line for people on stderr; stdout is for results."""
    sys.stderr.write(f"{printable(text)}\n")


def say(text: str, *, nl: bool = True) -> None:
    """Print a result on stdout, without what would command a terminal: an uploader may have written any of it."""
    import typer

    typer.echo(printable(text), nl=nl)


def counted(count: int, noun: str) -> str:
    """Say how many there are: ``1 file``, ``2 files``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def leave(code: Exit, text: str) -> typer.Exit:
    """Print why the command ends, and return the exception to raise."""
    import typer

    tell(text)
    return typer.Exit(int(code))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print errors of AWS or its client in one line. Nothing was done then, so they count as wrong usage."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

    try:
        yield
    except NoCredentialsError:
        raise leave(
            Exit.USAGE,
            "there are no AWS credentials: log in (for example with `aws sso login`) or set AWS_PROFILE; "
            "to try things out without AWS: auto-lambda local up",
        ) from None
    except NoRegionError:
        raise leave(
            Exit.USAGE, "no AWS region is set: set AWS_REGION, or a profile with a region in AWS_PROFILE"
        ) from None
    except ProfileNotFound as error:
        raise leave(Exit.USAGE, f"{error}: set AWS_PROFILE to one of `aws configure list-profiles`") from None
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise leave(Exit.USAGE, aws_says(error)) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as SIGINT does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def aws_says(error: Exception) -> str:
    """Say what AWS, or its client, reports; with what to do if credentials are the reason."""
    again = "log in again (for example with `aws sso login`), and repeat the command"
    about = trouble(error)
    if about is AwsTrouble.EXPIRED:
        return f"the AWS credentials have expired: {again}\nAWS says: {error}"
    if about is AwsTrouble.UNKNOWN:
        return f"AWS does not know these credentials: {again}\nAWS says: {error}"
    if code_of(error) == "400":  # S3 gives no reason when it is asked for an object's metadata
        return f"AWS says: {error}\nIf the credentials have expired, {again}"
    return f"AWS says: {error}"
