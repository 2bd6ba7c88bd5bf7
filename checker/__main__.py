"""Composition root of the checker: settings in, collaborators built, loop runs."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auto_lambda import logs, settings
from auto_lambda.aws.autoscaling import AutoScalingGroup, GroupUnusable
from auto_lambda.aws.cloudwatch import Metrics, MetricsRefused
from auto_lambda.aws.lean import make_lean_session
from auto_lambda.aws.session import client
from auto_lambda.aws.sqs import Queue, QueueUnusable
from auto_lambda.daemon.memory import spare_memory, trim_memory
from auto_lambda.daemon.service import Notifier, Stop, dns_timeouts, refuse, stop_on_signals
from auto_lambda.daemon.start import SettingsUnreadable, load_settings, may_start
from auto_lambda.recent_attempts import LedgerUnusable, RecentAttempts
from checker.loop import Loop, Pace
from checker.publish import Publish, to_errors, to_metrics, to_text
from checker.sample import Sample, Sampler

if TYPE_CHECKING:
    from boto3 import Session

_ENDPOINTS = ("autoscaling", "dynamodb", "monitoring", "sqs")
_UNUSABLE = (QueueUnusable, GroupUnusable, LedgerUnusable, MetricsRefused)


def main(arguments: Sequence[str] = ()) -> int:
    """Run until SIGTERM or SIGINT, or once.

    Args:
        arguments: ``--once``, ``--json``, ``--dry-run``.

    Returns:
        0 after a request to stop; `RELOAD_STATUS` after one to start again; 1 if ``--once`` or the loop failed, or if
        AWS does not say the settings; 2 for invalid settings.
    """
    options = _options(arguments)
    try:
        chosen = load_settings(settings.CheckerSettings)
    except settings.SettingsError as error:
        return refuse("checker", error.problems)
    except SettingsUnreadable as error:
        return refuse("checker", (str(error),), status=1)
    logs.configure(chosen.log_level, file=chosen.log_file)
    spare_memory()
    dns_timeouts()
    return _run(chosen, options)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options of `auto-lambda checker`, without typer: it would stay in a daemon's memory."""
    parser = argparse.ArgumentParser(prog="python -m checker", description="See `auto-lambda checker --help`.")
    for name in ("--once", "--json", "--dry-run"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args(arguments)


def _run(chosen: settings.CheckerSettings, options: argparse.Namespace) -> int:
    session = make_lean_session(chosen.region, _ENDPOINTS)
    publishers: list[Publish] = []
    failed: Callable[[int], None] = lambda _: None  # noqa: E731
    if not options.dry_run:
        metrics = Metrics(_client(session, "cloudwatch"), chosen.metrics_namespace)
        publishers.append(to_metrics(metrics, chosen.queue_url))
        failed = to_errors(metrics, chosen.queue_url, _now)
    if options.once or options.json or options.dry_run:
        publishers.append(to_text(sys.stdout, as_json=options.json))
    pace = Pace(chosen.check_seconds, max(chosen.check_seconds, chosen.idle_check_seconds))
    sampler = _sampler(chosen, session)
    loop = Loop(sampler, _all(publishers), pace=pace, notifier=Notifier(), failed=failed)
    try:
        first = sampler()
        if not options.once:
            _all(publishers)(first)
    except _UNUSABLE as error:
        return refuse("checker", (str(error),))
    except Exception as error:  # noqa: BLE001 - the loop survives whatever passes by itself
        logs.get("checker").warning("the first sample failed", error=str(error))
    trim_memory()
    if chosen.worker_group and not (options.dry_run or options.once):
        _suspend_rebalancing(AutoScalingGroup(_client(session, "autoscaling"), chosen.worker_group))
    if options.once:
        return 0 if loop.tick() else 1
    with stop_on_signals(lambda: may_start(settings.CheckerSettings, "checker")) as stop:
        return _until(stop, loop, chosen.check_seconds)


def _suspend_rebalancing(group: AutoScalingGroup) -> None:
    """CloudFormation cannot. The checker can: it is always there, and starts anew with the pipeline's machines."""
    try:
        group.suspend_rebalancing()
    except Exception as error:  # noqa: BLE001 - the fleet scales without it
        logs.get("checker").warning("AZRebalance not suspended", error=str(error))


def _sampler(chosen: settings.CheckerSettings, session: Session) -> Sampler:
    sqs = _client(session, "sqs")
    return Sampler(
        Queue(sqs, chosen.queue_url),
        Queue(sqs, chosen.dead_letter_queue_url) if chosen.dead_letter_queue_url else None,
        _now,
        group=AutoScalingGroup(_client(session, "autoscaling"), chosen.worker_group) if chosen.worker_group else None,
        history=RecentAttempts(_client(session, "dynamodb"), chosen.table) if chosen.table else None,
        slots=chosen.worker_slots,
    )


def _client(session: Session, service: str) -> Any:
    """Make a client with few attempts and short time-outs: the next tick is the better retry."""
    return client(session, service, read_timeout=3, attempts=2, connections=1)


def _now() -> datetime:
    return datetime.now(UTC)


def _until(stop: Stop, loop: Loop, seconds: float) -> int:
    """Run the loop in a thread, so that a call that hangs does not delay the end of the process."""
    thread = threading.Thread(target=loop.run, args=(stop,), name="loop", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.requested.wait(1):
        pass
    thread.join(seconds)
    return stop.status if stop.requested.is_set() else 1


def _all(publishers: Sequence[Publish]) -> Publish:
    def publish(sample: Sample) -> None:
        for one in publishers:
            one(sample)

    return publish


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
