"""Where a shift of traffic is, as the journal has it: enough for any worker to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime


class ShiftGoesOn(Exception):
    """Nothing more is to be done for so many seconds; then somebody has to look again."""

    def __init__(self, seconds: float, weight: int) -> None:
        super().__init__(f"the new version has {weight} % of the calls")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Moved:
    """A function whose calls are shared: by its name, between the version that was live and the new one."""

    function: str
    live: str
    new: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift of traffic.

    Attributes:
        moved: the functions.
        weight: the new versions' share in percent: 0 before the first step, 100 from when they may have all.
        since: when they got that share.
        began: when the shift began.
    """

    moved: tuple[Moved, ...]
    weight: int
    since: datetime
    began: datetime

    @classmethod
    def starts(cls, moved: tuple[Moved, ...], now: datetime) -> Shift:
        """Return a shift before its first step."""
        return cls(moved, 0, now, now)

    def grown(self, weight: int, now: datetime) -> Shift:
        """Return it with another share, from now on."""
        return replace(self, weight=weight, since=now)

    @property
    def over(self) -> bool:
        """Whether the new versions may have all calls."""
        return self.weight >= 100

    def text(self) -> str:
        """Return the text for the journal."""
        times = {"since": self.since.isoformat(), "began": self.began.isoformat()}
        return json.dumps({**asdict(self), **times})

    @classmethod
    def of(cls, text: str | None) -> Shift | None:
        """Read the text; None if there is none, or if another version of the worker wrote it in another format."""
        try:
            read: Mapping[str, object] = json.loads(text or "null") or {}
            moved = tuple(Moved(**one) for one in read["moved"])  # type: ignore[attr-defined]
            since, began = (datetime.fromisoformat(str(read[name])) for name in ("since", "began"))
            return cls(moved, int(str(read["weight"])), since, began)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
