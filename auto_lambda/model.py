"""The words that both trust levels use: plain, frozen data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Template = dict[str, Any]
"""A CloudFormation template as parsed JSON."""

BuildLog = Callable[[str], None]
"""Adds one or more lines to the log that the uploader reads. Secrets are redacted behind it."""
Say = BuildLog

Architecture = Literal["x86_64", "arm64"]

FrameworkName = Literal["chalice", "zappa"]


@dataclass(frozen=True, slots=True)
class BucketNotification:
    """A bucket event that a function asked for; merged into the existing bucket after the stack is live."""

    bucket: str
    function: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What trying the package out has shown.

    ``init_ms`` is the main function's start, in milliseconds, on this machine; None if it could not be tried here.
    ``package_bytes`` and ``package_zip_bytes`` are the code's and the layer's together, unzipped and zipped.
    """

    init_ms: int | None
    package_bytes: int
    package_zip_bytes: int
    warnings: tuple[str, ...] = ()
