"""Composition root of the worker: settings in, collaborators built, daemon runs."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from typing import TYPE_CHECKING

from auto_lambda import logs, settings
from auto_lambda.daemon.descendants import end_descendants
from auto_lambda.daemon.memory import spare_memory, trim_memory
from auto_lambda.daemon.service import (
    Notifier,
    dns_timeouts,
    refuse,
    stop_on_signals,
)
from auto_lambda.daemon.start import SettingsUnreadable, load_settings, may_start
from worker.consumer.status import StatusLine

if TYPE_CHECKING:
    from worker.cancellation import CancelToken
    from worker.compose import Worker
    from worker.consumer.inbox import Delivery, Inbox

_ENDPOINTS = (
    "autoscaling",
    "cloudformation",
    "dynamodb",
    "ec2",
    "events",
    "kinesis",
    "lambda",
    "logs",
    "s3",
    "sns",
    "sqs",
    "sts",
)


def main() -> int:
    """Run until SIGTERM or SIGINT.

    Returns:
        0 when it was asked to stop, `RELOAD_STATUS` when it was asked to start again, 1 if AWS does not say the
        settings, 2 for settings that cannot work. Work that had to be handed back ends the process on the spot:
        threads of ours may still be in it.
    """
    try:
        chosen = load_settings(settings.WorkerSettings)
    except settings.SettingsError as error:
        return refuse("worker", error.problems)
    except SettingsUnreadable as error:
        return refuse("worker", (str(error),), status=1)
    logs.configure(chosen.log_level, file=chosen.log_file)
    spare_memory()
    dns_timeouts()
    return _run(chosen)


def _run(chosen: settings.WorkerSettings) -> int:
    from auto_lambda.aws.lean import make_lean_session
    from auto_lambda.aws.session import client
    from auto_lambda.aws.sqs import Queue, QueueUnusable
    from worker.builds.compose import MisconfiguredMachine
    from worker.compose import compose, deploy_target
    from worker.consumer.inbox import Inbox
    from worker.workdir import workroom

    session = make_lean_session(chosen.region, _ENDPOINTS)
    # Each slot has a heartbeat beside the one receive.
    sqs = client(
        session,
        "sqs",
        read_timeout=chosen.poll_seconds + min(10, chosen.call_seconds),
        connections=chosen.slots + 2,
        attempts=chosen.call_attempts,
    )
    queue = Queue(sqs, chosen.queue_url, chosen.visibility_seconds)
    dead_letters = Queue(sqs, chosen.dead_letter_queue_url) if chosen.dead_letter_queue_url else None
    try:
        Queue(client(session, "sqs", read_timeout=2, attempts=1), chosen.queue_url).depth()
    except QueueUnusable as error:
        return refuse("worker", (str(error),))
    except Exception as error:  # noqa: BLE001 - whatever passes by itself is the daemon's to live through
        logs.get("worker").warning("the first look at the queue failed", error=str(error))
    inbox = Inbox(
        queue,
        chosen.uploads_bucket,
        dead_letters=dead_letters,
        poll_seconds=_poll_seconds(chosen),
        removals=chosen.undeploy_on_delete,
        reserved=deploy_target(chosen).own_names,
    )
    notifier = Notifier()
    status = StatusLine(notifier.status)
    with workroom(chosen.work_dir) as room, ExitStack() as closing:
        try:
            name = f"{socket.gethostname()}-{os.getpid()}"
            worker = compose(chosen, session, room, closing, inbox, worker=name, began=status.step)
        except MisconfiguredMachine as error:
            return refuse("worker", error.problems)
        return _serve(chosen, inbox, worker, notifier, status)


def _serve(
    chosen: settings.WorkerSettings, inbox: Inbox, worker: Worker, notifier: Notifier, status: StatusLine
) -> int:
    from auto_lambda.aws.metadata import Metadata
    from worker.consumer.backoff import BackOff
    from worker.consumer.daemon import Daemon, Hooks, Timing
    from worker.fleet.idle import IdleTimer
    from worker.fleet.termination import TerminationWatcher

    def work_and_trim(delivery: Delivery, cancel_token: CancelToken) -> None:
        try:
            worker.handler.handle(delivery, cancel_token)
        finally:
            status.over()
            trim_memory()

    with stop_on_signals(lambda: may_start(settings.WorkerSettings, "worker")) as stop:
        termination = TerminationWatcher(Metadata(), worker.member, stop)
        idle = IdleTimer(termination.leave_group, chosen.idle_seconds)

        def load(running: int) -> None:
            termination.load(running)
            idle.load(running)

        daemon = Daemon(
            inbox,
            work_and_trim,
            slots=chosen.slots,
            deduplicate=worker.deduplicator.deduplicate,
            timing=Timing(
                visibility=chosen.visibility_seconds,
                receive=chosen.poll_seconds + 10,
                drain=chosen.drain_seconds,
                back_off=BackOff(base=chosen.back_off_seconds),
            ),
            hooks=Hooks(
                on_cancel=end_descendants, on_handover=end_descendants, on_load=load, on_idle=idle.leave_if_due
            ),
            notifier=notifier,
        )
        termination.start()
        worker.reconciler.start(chosen.reconcile_hours, stop.requested)
        if worker.outbox:
            worker.outbox.start()
        worker.housekeeper.start()
        handed_back = daemon.run(stop)
        worker.housekeeper.stop()
        if worker.outbox:
            worker.outbox.close()
        termination.finish()
    if handed_back:
        sys.stderr.flush()
        os._exit(stop.status)
    return stop.status


def _poll_seconds(chosen: settings.WorkerSettings) -> int:
    """A machine goes after a receive that brought nothing, so none is longer than it may be idle."""
    if not chosen.idle_seconds:
        return chosen.poll_seconds
    return min(chosen.poll_seconds, max(1, round(chosen.idle_seconds)))


if __name__ == "__main__":
    ArgumentParser(prog="python -m worker", description="See `auto-lambda worker --help`.").parse_args()
    sys.exit(main())
