"""Data that both trust levels use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Template = dict[str, Any]
"""A CloudFormation template as parsed JSON."""

BuildLog = Callable[[str], None]
"""Adds lines to the log that the uploader reads, with secrets redacted."""

Architecture = Literal["x86_64", "arm64"]

FrameworkName = Literal["chalice", "zappa", "plain"]

LOG_DAYS = (0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The numbers of days that CloudWatch Logs can keep events; 0 stands for ever.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
"""

_LONGEST = 256  # characters of what S3 says of a principal or an address
_HASH = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/@+-]{0,255}")


@dataclass(frozen=True, slots=True)
class BucketNotification:
    """A bucket notification that a function subscribes to, merged into the existing bucket once the stack is live.

    ``called`` are the functions inside the app that take the event. Its handler finds a single one behind the last
    colon of the notification's id. Several share an id without a colon: the handler then calls all that are mapped to
    the bucket. Empty if the handler does not read the id.
    """

    bucket: str
    function: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropper:
    """Who dropped a zip, as S3 says: the principal's id, and the address that the request came from.

    Both are text from outside, so `told` shortens them and leaves out what is not printable.
    """

    principal: str | None = None
    address: str | None = None

    @classmethod
    def told(cls, principal: object, address: object) -> Dropper | None:
        """Return who it was; None if neither is known."""
        known = cls(_short(principal), _short(address))
        return known if known != cls() else None

    def __str__(self) -> str:
        return " from ".join(part for part in (self.principal, self.address) if part)


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that a zip was made from, as its uploader says: nobody has checked it.

    ``hash`` is hexadecimal, ``repository`` a name such as ``owner/name``, or a URL. `told` leaves out anything else.
    """

    hash: str | None = None
    repository: str | None = None

    @classmethod
    def told(cls, metadata: Mapping[str, object]) -> Commit | None:
        """Read the fields ``commit`` and ``repository``; None if neither is there."""
        known = cls(_if_like(_HASH, metadata.get("commit")), _if_like(_REPOSITORY, metadata.get("repository")))
        return known if known != cls() else None

    def metadata(self) -> dict[str, str]:
        """Return the metadata of a zip."""
        return {name: value for name, value in (("commit", self.hash), ("repository", self.repository)) if value}


def _if_like(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _short(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    kept = "".join(character for character in value[:_LONGEST] if character.isprintable())
    return kept.strip() or None


@dataclass(frozen=True, slots=True)
class GuessedSettings:
    """Settings that an app without any gets: a file to save them as, by its path in the zip, and its text."""

    file: str
    text: str


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
