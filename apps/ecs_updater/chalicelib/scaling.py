"""How many tasks a service should have: a pure function of its tags, its alarms and the clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .images import BadName
from .model import COOLDOWN, LOWER, MAX, MIN, QUIET, RAISE, SCALED

_UNFINISHED = timedelta(minutes=2)
"""For how long a change that is written down but not made is still made; later it is decided anew."""
_CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much a change may be in the future; one that is further away is not known."""
_MOST = 10_000  # tasks


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm's state, and since when it has it."""

    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """The last change that the updater made, or was about to make, to a service's desired count."""

    when: datetime
    before: int
    after: int

    @classmethod
    def read(cls, text: str | None) -> Change | None:
        """Read it from the service's tag; None if there is none, or somebody wrote something else there."""
        found = re.fullmatch(r"(\S+Z) (\d{1,6}) (\d{1,6})", text or "")
        if not found:
            return None
        try:
            when = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(when, int(found[2]), int(found[3]))

    def __str__(self) -> str:
        """Return the tag's value."""
        return f"{self.when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {self.before} {self.after}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How a service scales, as its tags say.

    Attributes:
        minimum, maximum: bounds of the desired count.
        raises, lowers: alarms by name, each with its step: how many tasks at once.
        up_after, down_after: cool-downs, counted from the last change of either kind.
        quiet: without alarms that lower: for how long no alarm may raise before a task goes.
    """

    minimum: int
    maximum: int
    raises: Mapping[str, int]
    lowers: Mapping[str, int]
    up_after: timedelta = timedelta(seconds=60)
    down_after: timedelta = timedelta(seconds=300)
    quiet: timedelta = timedelta(seconds=900)

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Rules | None:
        """Read them; None if the service does not scale.

        Raises:
            BadName: a tag is malformed or missing.
        """
        if not tags.get(RAISE):
            return None
        if missing := [name for name in (MIN, MAX) if name not in tags]:
            raise BadName(f"{RAISE} needs {' and '.join(missing)} too")
        minimum, maximum = (_number(tags, name) for name in (MIN, MAX))
        if minimum > maximum:
            raise BadName(f"{MIN} is {minimum}, more than {MAX}, which is {maximum}")
        return cls(minimum, maximum, _alarms(tags, RAISE), _alarms(tags, LOWER), *_times(tags))


@dataclass(frozen=True, slots=True)
class Decision:
    """The desired count, and why it is this one."""

    count: int
    why: str


def want(count: int, rules: Rules, alarms: Mapping[str, Alarm], last: Change | None, now: datetime) -> Decision:
    """Decide how many tasks there should be.

    Up if any alarm says so, down only if all agree and none is unknown. An alarm that raises wins over any that lowers.
    """
    if last and last.when > now + _CLOCKS_DIFFER:
        last = None  # somebody else wrote it: it must not keep the service from scaling until then
    if last and last.before == count != last.after and now - last.when < _UNFINISHED:
        return Decision(last.after, f"finishing the change from {last.before} to {last.after}")
    if count == 0 < rules.minimum:
        return Decision(0, "stopped by hand: a service without tasks is left so")
    if not rules.minimum <= count <= rules.maximum:
        bounded = min(max(count, rules.minimum), rules.maximum)
        return Decision(bounded, f"{count} is not within {rules.minimum} and {rules.maximum}")
    rested = now - last.when if last else timedelta.max
    raising = {name: step for name, step in rules.raises.items() if _state(alarms, name) == "ALARM"}
    if raising:
        return _up(count, rules, raising, rested)
    return _down(count, rules, alarms, rested, now)


def _up(count: int, rules: Rules, raising: Mapping[str, int], rested: timedelta) -> Decision:
    said = f"{', '.join(sorted(raising))} in alarm"
    if count >= rules.maximum:
        return Decision(count, f"{said}, but {rules.maximum} is the maximum")
    if rested < rules.up_after:
        return Decision(count, f"{said}; cooling down for {_left(rules.up_after, rested)} s")
    return Decision(min(count + max(raising.values()), rules.maximum), said)


def _down(count: int, rules: Rules, alarms: Mapping[str, Alarm], rested: timedelta, now: datetime) -> Decision:
    if unknown := sorted(name for name in (*rules.raises, *rules.lowers) if _state(alarms, name) not in _KNOWN):
        missing = [name for name in unknown if name not in alarms]
        return Decision(count, f"no such alarm: {', '.join(missing)}" if missing else f"no data: {', '.join(unknown)}")
    if rules.lowers:
        agreed = all(_state(alarms, name) == "ALARM" for name in rules.lowers)
        said, step = f"{', '.join(sorted(rules.lowers))} in alarm", min(rules.lowers.values())
    else:
        agreed = all(now - alarms[name].since >= rules.quiet for name in rules.raises)
        said, step = f"quiet for {rules.quiet.total_seconds():.0f} s", 1
    if not agreed or count <= rules.minimum:
        return Decision(count, "steady")
    if rested < rules.down_after:
        return Decision(count, f"{said}; cooling down for {_left(rules.down_after, rested)} s")
    return Decision(max(count - step, rules.minimum), said)


_KNOWN = {"OK", "ALARM"}


def _state(alarms: Mapping[str, Alarm], name: str) -> str:
    return alarms[name].state if name in alarms else ""


def _left(pause: timedelta, rested: timedelta) -> int:
    return max(1, round((pause - rested).total_seconds()))


def last_change(tags: Mapping[str, str]) -> Change | None:
    """Return the last change of a service, as its tag says."""
    return Change.read(tags.get(SCALED))


def _alarms(tags: Mapping[str, str], name: str) -> dict[str, int]:
    """Read ``cpu-high cpu-very-high+3``: names of alarms, each with its step."""
    found: dict[str, int] = {}
    for word in tags.get(name, "").split():
        step = re.fullmatch(r"(.+)\+(\d{1,4})", word)
        found[step[1] if step else word] = int(step[2]) if step else 1
    if 0 in found.values():
        raise BadName(f"{name}: a step of 0 changes nothing")
    return found


def _times(tags: Mapping[str, str]) -> tuple[timedelta, timedelta, timedelta]:
    pauses = tags.get(COOLDOWN, "60 300").split()
    if not (len(pauses) == 2 and all(re.fullmatch(r"\d{1,6}", pause) for pause in pauses)):
        raise BadName(f"{COOLDOWN} is not two numbers of seconds: after which more, after which fewer")
    seconds = (*map(int, pauses), _number({QUIET: "900", **tags}, QUIET, 1_000_000))
    up, down, quiet = (timedelta(seconds=number) for number in seconds)
    return up, down, quiet


def _number(tags: Mapping[str, str], name: str, most: int = _MOST) -> int:
    text = tags[name]
    if not re.fullmatch(r"\d{1,7}", text) or int(text) > most:
        raise BadName(f"{name} is {text!r}, not a number from 0 to {most}")
    return int(text)


def minimum(tags: Mapping[str, str]) -> int | None:
    """Return the fewest tasks that a service may have, None if it does not say.

    Raises:
        BadName: its tag is no number.
    """
    return _number(tags, MIN) if MIN in tags else None
