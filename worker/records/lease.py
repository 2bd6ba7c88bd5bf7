"""Who may work on an app: one lease each, with an owner, an expiry and a number that grows with every claim.

The number is the fence: every write of a holder renews its lease in the same transaction, on the condition that owner
and number are still its own. Whoever has lost the lease, without knowing it, can write nothing more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from auto_lambda import logs
from auto_lambda.aws.dynamodb import Delete, Item, Put, Refused
from worker.cancellation import Cancelled

SKEW = 10.0
"""Seconds that the clocks of two workers may differ; a lease is free only so long after its expiry."""
SK = "lease"

_log = logs.get("lease")


class Writes(Protocol):
    """The table, as far as leases need it."""

    def write(self, *writes: Put | Delete) -> None:
        """All or nothing; raises `Refused`."""


class Lost(Cancelled):
    """The lease is in other hands, or may be."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as the table has it.

    Attributes:
        fence: grows by one with every claim, and is never forgotten.
        owner: who holds it; None once it was given up.
        until: when it runs out, in seconds since 1970.
        subject: what the last claim was for.
        deaths: how many holders in a row have claimed it for this subject and were never heard of again.
    """

    fence: int = 0
    owner: str | None = None
    until: float = 0.0
    subject: str | None = None
    deaths: int = 0

    def held(self, now: float) -> bool:
        """Whether somebody may be at work under it."""
        return self.owner is not None and now <= self.until + SKEW

    def claimed(self, owner: str, subject: str, now: float, seconds: float) -> Lease | None:
        """The lease in the hands of ``owner``; None while somebody else holds it."""
        if self.held(now):
            return None
        deaths = self.deaths if self.subject == subject else 0
        if self.owner is not None and self.subject == subject:
            deaths += 1
        return Lease(self.fence + 1, owner, now + seconds, subject, deaths)

    def given_up(self) -> Lease:
        """The lease in nobody's hands."""
        return replace(self, owner=None, until=0.0)

    def item(self, pk: str) -> Item:
        """As it is stored."""
        return {
            "pk": pk, "sk": SK, "fence": self.fence, "owner": self.owner, "until": self.until,
            "subject": self.subject, "deaths": self.deaths,
        }  # fmt: skip

    @classmethod
    def of(cls, item: Item | None) -> Lease:
        """From the stored item."""
        if item is None:
            return cls()
        owner, subject = item.get("owner"), item.get("subject")
        return cls(
            int(item.get("fence") or 0), str(owner) if owner else None, float(item.get("until") or 0),
            str(subject) if subject else None, int(item.get("deaths") or 0),
        )  # fmt: skip


class Hold:
    """A lease in our hands. Every method may be called from any thread.

    Args:
        table: where it lies.
        pk: of its item.
        lease: as claimed.
        seconds: how long it lasts without a renewal.
        began: ``clock`` before it was claimed.
        now: seconds since 1970.
        clock: seconds, monotonic; what we believe of our own lease does not depend on the time of day.
    """

    def __init__(
        self,
        table: Writes,
        pk: str,
        lease: Lease,
        seconds: float,
        began: float,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._pk = pk
        self._lease = lease
        self._seconds = seconds
        self._now = now
        self._clock = clock
        self._sure_until = began + seconds
        self._over = False
        self._lock = threading.RLock()

    @property
    def fence(self) -> int:
        """The number of this claim."""
        return self._lease.fence

    @property
    def deaths(self) -> int:
        """How many holders before us have vanished over the same subject."""
        return self._lease.deaths

    def check(self) -> None:
        """Raise `Lost` unless we can be sure that nobody else has it."""
        if self._over or self._clock() > self._sure_until:
            raise Lost("the lease has run out")

    def renew(self) -> None:
        """Hold it for another while; raises `Lost`."""
        self.write()

    def write(self, *writes: Put | Delete) -> None:
        """Write, and renew, if the lease is still ours.

        Raises:
            Lost: it is not; nothing was written.
        """
        with self._lock:
            self.check()
            began = self._clock()
            self._put(replace(self._lease, until=self._now() + self._seconds), writes)
            self._sure_until = began + self._seconds

    def finish(self, *writes: Put | Delete) -> None:
        """Write, and give the lease up; raises `Lost` as `write` does."""
        with self._lock:
            self.check()
            self._put(self._lease.given_up(), writes)
            self._over = True

    def let_go(self) -> None:
        """Give it up if it is ours still. Never raises: it runs out by itself."""
        with self._lock:
            if self._over:
                return
            self._over = True
            try:
                self._put(self._lease.given_up(), ())
            except Exception as error:  # noqa: BLE001 - the next worker only has to wait
                _log.warning("lease not given up", lease=self._pk, error=str(error))

    def _put(self, lease: Lease, writes: tuple[Put | Delete, ...]) -> None:
        mine = {"fence": self._lease.fence, "owner": self._lease.owner}
        try:
            self._table.write(Put(lease.item(self._pk), mine), *writes)
        except Refused as error:
            self._over = True
            raise Lost("the lease is in other hands") from error
        self._lease = lease if lease.owner else self._lease


def claim(
    table: Writes,
    pk: str,
    seen: Lease,
    *,
    owner: str,
    subject: str,
    seconds: float,
    with_it: Callable[[Lease], tuple[Put, ...]] = lambda _: (),
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> Hold | None:
    """Take a lease that was ``seen`` in the table.

    Args:
        table: where it lies.
        pk: of its item.
        seen: as it was read. If anybody has claimed it since, we don't get it.
        owner: unique to this claim, so that a claim whose answer was lost is known again.
        subject: what for.
        seconds: how long it lasts without a renewal.
        with_it: more to write in the same transaction.
        now: seconds since 1970.
        clock: seconds, monotonic.

    Returns:
        None while it is in other hands.
    """
    began = clock()
    lease = seen.claimed(owner, subject, now(), seconds)
    if lease is None:
        return None
    expect: Item = {"fence": seen.fence or None, "owner": seen.owner}
    try:
        table.write(Put(lease.item(pk), {**expect, "until": seen.until} if seen.owner else expect), *with_it(lease))
    except Refused:
        return None
    except Exception:
        # Perhaps it was written and only the answer was lost: nobody should have to wait for a holder that is none.
        Hold(table, pk, lease, seconds, began, now=now, clock=clock).let_go()
        raise
    return Hold(table, pk, lease, seconds, began, now=now, clock=clock)
