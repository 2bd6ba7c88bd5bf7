"""``auto-lambda reconcile``."""

from __future__ import annotations

import json
from datetime import timedelta

from auto_lambda.redact import one_line
from auto_lambda_cli.exits import Exit, counted, plain_errors, say, tell
from auto_lambda_cli.target import choose, setting


def reconcile(*, deleted: bool, dry_run: bool, as_json: bool, local: bool, bucket: str | None) -> int:
    """Announce every upload that is newer than what is live and that no worker has ever received."""
    from auto_lambda.aws.dynamodb import Table
    from auto_lambda.aws.session import client, make_session
    from auto_lambda.aws.sqs import Queue
    from worker.consumer.inbox import Inbox
    from worker.operations.reconcile import Reconciler
    from worker.records.ledger import Ledger

    target = choose(local=local, bucket=bucket)
    with plain_errors():
        session = make_session()
        queue = Queue(client(session, "sqs"), setting("AUTO_LAMBDA_QUEUE_URL"))
        inbox = Inbox(queue, target.bucket, dead_letters=None, poll_seconds=1)
        ledger = Ledger(Table(client(session, "dynamodb"), setting("AUTO_LAMBDA_TABLE")))
        removal = inbox.announce_removal if deleted else None
        reconciler = Reconciler(
            target.store(), ledger, inbox.announce, target.bucket, worker="cli", announce_removal=removal
        )
        now = timedelta(0)
        if dry_run:
            found = [*(key for key, _ in reconciler.missed(now)), *(reconciler.deleted() if deleted else ())]
        else:
            found = reconciler.run(now)
    if as_json:
        say(json.dumps(found))
    else:
        say("\n".join(map(one_line, found)), nl=bool(found))
        tell(_summary(len(found), "change" if deleted else "upload", dry_run=dry_run))
    return Exit.OK


def _summary(count: int, noun: str, *, dry_run: bool) -> str:
    if not count:
        return f"every {noun} has been announced: nothing to do"
    return f"{counted(count, noun)} never announced" + ("" if dry_run else ": announced now")
