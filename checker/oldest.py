"""How long the oldest message has been there, without touching any: nobody can look into a queue without receiving.

CloudWatch's ApproximateAgeOfOldestMessage leaves out what was received three times, so it is blind to the very messages
that go wrong. What a worker has had in hand stands in the ledger with the time it was sent. What nobody has had in hand
was sent, since the queue hands out roughly in order, after the last one that a worker was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from auto_lambda.attempts import Attempt

MOST_RECEIVES = 5
"""After so many the queue's redrive policy puts a message aside (``maxReceiveCount`` in infra/pipeline.yaml)."""
_STAYS = frozenset({None, "delayed", "handed back"})
"""Outcomes after which the message is still in the queue."""


def oldest_seconds(
    now: datetime, attempts: Iterable[Attempt], *, visible: int, in_flight: int, waiting_since: datetime | None
) -> float | None:
    """Seconds that the oldest message has been in the queue; 0 for an empty one, None if nothing is known of it.

    Exact for messages that a worker has had in hand; for others the most it can be.

    Args:
        now: in UTC.
        attempts: recent ones, the last begun first.
        visible: messages that wait.
        in_flight: messages that are hidden: in work, or backing off.
        waiting_since: the last moment at which nothing was seen to wait; None if there always was something.
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
    """Of each upload the last attempt, if its message is there still."""
    known: set[str] = set()
    for attempt in attempts:
        if attempt.subject not in known and attempt.outcome in _STAYS and attempt.number < MOST_RECEIVES:
            yield attempt
        known.add(attempt.subject)


def _sent(attempt: Attempt) -> datetime:
    return attempt.sent or attempt.started
