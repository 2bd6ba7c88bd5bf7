"""Resolves names as a client of Route 53 does; the embedded AWS has the records, and answers no DNS queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALIAS_TTL = 60.0  # of a load balancer or an API, which is what aliases here lead to


@dataclass(frozen=True, slots=True)
class Record:
    """An answer that Route 53 may give.

    Attributes:
        target: the name that it leads to, without the dot at its end.
        ttl: seconds for which it may be kept.
        weight: its share among the records of its name; None where there is only this one.
    """

    target: str
    ttl: float
    weight: int | None = None


def records_of(name: str, listed: Iterable[Mapping[str, Any]]) -> tuple[Record, ...]:
    """Return a name's records from what ListResourceRecordSets lists."""
    return tuple(
        _record(one) for one in listed if _plain(one["Name"]) == _plain(name) and one["Type"] in {"A", "AAAA", "CNAME"}
    )


def _record(listed: Mapping[str, Any]) -> Record:
    weight = listed.get("Weight")
    alias = listed.get("AliasTarget")
    if alias:
        return Record(_plain(alias["DNSName"]), ALIAS_TTL, weight)
    return Record(_plain(listed["ResourceRecords"][0]["Value"]), float(listed["TTL"]), weight)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def answer(records: Sequence[Record], share: float) -> Record | None:
    """Choose the record that Route 53 answers with: in proportion to the weights; if all are zero, any.

    Args:
        records: of one name.
        share: a random number, at least 0 and below 1.
    """
    weights = [1 if record.weight is None else record.weight for record in records]
    if not any(weights):
        weights = [1] * len(records)
    rest = share * sum(weights)
    for record, weight in zip(records, weights, strict=True):
        if rest < weight:
            return record
        rest -= weight
    return next((record for record, weight in reversed(list(zip(records, weights, strict=True))) if weight), None)


class NoSuchName(Exception):
    """There is no record of this name."""


class DnsResolver:
    """A client's resolver with its cache, of one name.

    Args:
        look_up: returns the records as they are now.
        clock: returns seconds.
        draw: returns a random number for `answer`.
        hold: how often the TTL an answer is kept; 1 is as told, 2 is a resolver that keeps answers for too long.
    """

    def __init__(
        self,
        look_up: Callable[[], Sequence[Record]],
        clock: Callable[[], float],
        draw: Callable[[], float],
        hold: float = 1.0,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._draw = draw
        self._hold = hold
        self._kept: Record | None = None
        self._until = float("-inf")

    def resolve(self) -> str:
        """Return the name that it leads to: what is kept, or else what the records say now.

        Raises:
            NoSuchName: no record.
        """
        now = self._clock()
        if self._kept is None or now >= self._until:
            self._kept = answer(self._look_up(), self._draw())
            if self._kept is None:
                raise NoSuchName
            self._until = now + self._kept.ttl * self._hold
        return self._kept.target
