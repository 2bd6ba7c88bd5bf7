"""Data that both trust levels use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Template = dict[str, Any]
"""A CloudFormation template as parsed JSON."""

BuildLog = Callable[[str], None]
"""Adds lines to the log that the uploader reads, with secrets redacted."""

Architecture = Literal["x86_64", "arm64"]

FrameworkName = Literal["chalice", "zappa"]


@dataclass(frozen=True, slots=True)
class BucketNotification:
    """A bucket notification that a function subscribes to, merged into the existing bucket once the stack is live."""

    bucket: str
    function: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of proving a package.

    ``init_ms`` is the main function's start-up time in milliseconds, on this machine; None if it could not run here.
    ``package_bytes`` and ``package_zip_bytes`` are the sizes of code and layer together, unzipped and zipped.
    """

    init_ms: int | None
    package_bytes: int
    package_zip_bytes: int
    warnings: tuple[str, ...] = ()
