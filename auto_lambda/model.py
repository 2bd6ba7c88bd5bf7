"""Data that both trust levels use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
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
_ALL, _MOST = 100, 1_000_000  # percent, and seconds of a shift of traffic
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


@dataclass(frozen=True, slots=True)
class Traffic:
    """How the traffic shifts to an upload's release.

    Attributes:
        kind: ``canary`` or ``linear``.
        weight: the share of the calls that the release gets now, in percent.
        since: since when.
        began: when the shift began.
        percent: the share of each step.
        interval: seconds between two steps.
    """

    kind: str
    weight: int
    since: datetime
    began: datetime
    percent: int
    interval: int

    @property
    def shared(self) -> bool:
        """Whether both releases get calls."""
        return 0 < self.weight < _ALL

    def __str__(self) -> str:
        plan = f"{self.kind}, {self.percent} % for {self.interval} s"
        return f"{self.weight} % of the calls since {self.since:%Y-%m-%d %H:%M:%S} UTC ({plan})"

    def as_json(self) -> dict[str, Any]:
        """Return the fields of the receipt."""
        times = {name: getattr(self, name).isoformat(timespec="milliseconds") for name in ("since", "began")}
        return {**asdict(self), **times}

    @classmethod
    def told(cls, fields: Mapping[str, Any]) -> Traffic | None:
        """Read the fields of a receipt, in which anybody may have written; None if they are none."""
        kind, numbers = fields.get("kind"), [fields.get(name) for name in ("weight", "percent", "interval")]
        since, began = (_moment(fields.get(name)) for name in ("since", "began"))
        if not isinstance(kind, str) or since is None or began is None:
            return None
        if not all(type(number) is int and 0 <= number < _MOST for number in numbers):
            return None
        weight, percent, interval = (int(number or 0) for number in numbers)
        return cls(kind, weight, since, began, percent, interval)


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None
