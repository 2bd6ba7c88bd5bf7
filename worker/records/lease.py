"""Leases: only the holder of an app's lease may work on the app.

A lease has an owner, an expiry time and a fencing token, which grows with every claim. Every write of a holder renews
its lease in the same transaction, on the condition that owner and token are unchanged. A holder that has lost its lease
without noticing can therefore write nothing more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from auto_lambda import logs
from auto_lambda.aws.dynamodb import Delete, Item, Put, Refused, Table
from worker.cancellation import Cancelled

SKEW = 10.0
"""Seconds by which the clocks of two workers may differ; a lease is free only this long after its expiry."""
SK = "lease"

_log = logs.get("lease")


class Lost(Cancelled):
    """Another worker has the lease, or may have it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it is stored in the table.

    Attributes:
        fence: the fencing token: grows by one with every claim, and is never reset.
        owner: its holder; None once it was released.
        until: when it expires, in seconds since 1970.
        subject: what the last claim was for.
        crashes: how many holders in a row have claimed it for this subject and vanished.
    """

    fence: int = 0
    owner: str | None = None
    until: float = 0.0
    subject: str | None = None
    crashes: int = 0

    def held(self, now: float) -> bool:
        """Tell whether somebody may be working under it."""
        return self.owner is not None and now <= self.until + SKEW

    def claimed(self, owner: str, subject: str, now: float, seconds: float) -> Lease | None:
        """Return the lease as claimed by ``owner``; None while somebody else holds it."""
        if self.held(now):
            return None
        crashes = self.crashes if self.subject == subject else 0
        if self.owner is not None and self.subject == subject:
            crashes += 1
        return Lease(self.fence + 1, owner, now + seconds, subject, crashes)

    def released(self) -> Lease:
        """Return the lease without an owner."""
        return replace(self, owner=None, until=0.0)

    def item(self, pk: str) -> Item:
        """Return it as a table item; the attribute ``deaths`` is `crashes`."""
        return {
            "pk": pk, "sk": SK, "fence": self.fence, "owner": self.owner, "until": self.until,
            "subject": self.subject, "deaths": self.crashes,
        }  # fmt: skip

    @classmethod
    def of(cls, item: Item | None) -> Lease:
        """Read a table item."""
        if item is None:
            return cls()
        owner, subject = item.get("owner"), item.get("subject")
        return cls(
            int(item.get("fence") or 0), str(owner) if owner else None, float(item.get("until") or 0),
            str(subject) if subject else None, int(item.get("deaths") or 0),
        )  # fmt: skip


class HeldLease:
    """A lease that we hold. Every method may be called from any thread.

    Args:
        table: holds the lease.
        pk: of its item.
        lease: as claimed.
        seconds: how long it lasts without a renewal.
        began: ``clock`` before it was claimed.
        now: seconds since 1970.
        clock: seconds, monotonic; our view of our own lease must not depend on the time of day.
    """

    def __init__(
        self,
        table: Table,
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
        """The fencing token of this claim."""
        return self._lease.fence

    @property
    def crashes(self) -> int:
        """Number of holders before us that vanished while working on the same subject."""
        return self._lease.crashes

    @property
    def free_at(self) -> float:
        """When others may claim it unless it is renewed, in seconds since 1970."""
        return self._lease.until + SKEW

    def check(self) -> None:
        """Raise `Lost` unless it is certain that nobody else has it."""
        if self._over or self._clock() > self._sure_until:
            raise Lost("the lease has expired")

    def renew(self) -> None:
        """Extend it; raises `Lost`."""
        self.write()

    def write(self, *writes: Put | Delete) -> None:
        """Write, and renew the lease, if it is still ours.

        Raises:
            Lost: it is not ours; nothing was written.
        """
        with self._lock:
            self.check()
            began = self._clock()
            self._put(replace(self._lease, until=self._now() + self._seconds), writes)
            self._sure_until = began + self._seconds

    def finish(self, *writes: Put | Delete) -> None:
        """Write, and release the lease; raises `Lost` as `write` does."""
        with self._lock:
            self.check()
            self._put(self._lease.released(), writes)
            self._over = True

    def release(self) -> None:
        """Release it if it is still ours. Never raises, since it expires by itself."""
        with self._lock:
            if self._over:
                return
            self._over = True
            try:
                self._put(self._lease.released(), ())
            except Exception as error:  # noqa: BLE001 - the next worker only has to wait
                _log.warning("lease not released", lease=self._pk, error=str(error))

    def _put(self, lease: Lease, writes: tuple[Put | Delete, ...]) -> None:
        mine = {"fence": self._lease.fence, "owner": self._lease.owner}
        try:
            self._table.write(Put(lease.item(self._pk), mine), *writes)
        except Refused as error:
            self._over = True
            raise Lost("another worker has the lease") from error
        self._lease = lease if lease.owner else self._lease


def claim(
    table: Table,
    pk: str,
    seen: Lease,
    *,
    owner: str,
    subject: str,
    seconds: float,
    also: Callable[[Lease], tuple[Put, ...]] = lambda _: (),
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> HeldLease | None:
    """Claim a lease that was ``seen`` in the table.

    Args:
        table: holds the lease.
        pk: of its item.
        seen: as it was read. The claim fails if anybody has claimed it since.
        owner: unique to this claim, so that a claim whose response was lost is recognised.
        subject: what it is claimed for.
        seconds: how long it lasts without a renewal.
        also: more writes for the same transaction.
        now: seconds since 1970.
        clock: seconds, monotonic.

    Returns:
        None while somebody else holds it.
    """
    began = clock()
    lease = seen.claimed(owner, subject, now(), seconds)
    if lease is None:
        return None
    expect: Item = {"fence": seen.fence or None, "owner": seen.owner}
    try:
        table.write(Put(lease.item(pk), {**expect, "until": seen.until} if seen.owner else expect), *also(lease))
    except Refused:
        return None
    except Exception:
        # Perhaps it was written and only the response was lost: nobody should wait for a holder that does not exist.
        HeldLease(table, pk, lease, seconds, began, now=now, clock=clock).release()
        raise
    return HeldLease(table, pk, lease, seconds, began, now=now, clock=clock)
