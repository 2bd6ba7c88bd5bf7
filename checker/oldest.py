"""The age of the oldest message, found without receiving any.

CloudWatch's ApproximateAgeOfOldestMessage ignores messages that were received three times, those that fail.
The ledger has the send time of messages that a worker has received. Any other message was sent after the latest of
those, since the queue delivers roughly in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from auto_lambda.attempts import Attempt

MOST_RECEIVES = 5
"""Receives after which a message moves to the dead-letter queue (``maxReceiveCount`` in infra/core.yaml)."""
_STAYS = frozenset({None, "delayed", "handed back"})
"""Outcomes after which the message is still in the queue."""


def oldest_seconds(
    now: datetime, attempts: Iterable[Attempt], *, visible: int, in_flight: int, waiting_since: datetime | None
) -> float | None:
    """Return the age of the oldest message in seconds; 0 for an empty queue, None if it is not known.

    Exact for messages that a worker has received; for others an upper bound.

    Args:
        now: in UTC.
        attempts: recent attempts, newest first.
        visible: visible messages.
        in_flight: messages that are processed, or delayed for a retry.
        waiting_since: the last moment without a visible message; None if there always was one.
    """
    if not visible and not in_flight:
        return 0.0
    attempts = list(attempts)
    sent = [_sent(one) for one in _unsettled(attempts)]
    if visible:
        bounds = [_sent(one) for one in attempts] + ([waiting_since] if waiting_since else [])
        sent += [max(bounds)] if bounds else []
    return max((max(0.0, (now - moment).total_seconds()) for moment in sent), default=None)


def _unsettled(attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    """Return the last attempt at each upload whose message is still in the queue."""
    known: set[str] = set()
    for attempt in attempts:
        if attempt.subject not in known and attempt.outcome in _STAYS and attempt.number < MOST_RECEIVES:
            yield attempt
        known.add(attempt.subject)


def _sent(attempt: Attempt) -> datetime:
    return attempt.sent or attempt.started
