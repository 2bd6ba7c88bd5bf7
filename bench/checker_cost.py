"""Measure the checker's memory and processor time at the default interval, on an embedded AWS. See `--help`.

There is work all the time, so that it never slows down, a group of three, and 100 attempts in the ledger.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from usage import cpu, memory

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import deploy_pipeline, local_client
from auto_lambda_cli.running_stacks import RunningStack


def main() -> int:
    """Print a line every ten seconds; the last one is the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    seconds = parser.parse_args().minutes * 60
    with tempfile.TemporaryDirectory() as folder, EmbeddedAws.start(Path(folder), None) as aws:
        pipeline = deploy_pipeline(aws, Path(folder))
        environ = {**pipeline.environ_over(os.environ), "AUTO_LAMBDA_WORKER_GROUP": furnish(aws, pipeline)}
        command = [sys.executable, "-m", "checker"]
        with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as checker:
            watch(checker.pid, seconds)
            checker.terminate()
    return 0


def furnish(aws: EmbeddedAws, pipeline: RunningStack) -> str:
    """Create work, history and instances, and return the group's name."""
    sqs, ledger = local_client(aws, "sqs"), local_client(aws, "dynamodb")
    for number in range(5):
        sqs.send_message(QueueUrl=pipeline.queue, MessageBody=str(number))
    now = datetime.now(UTC)
    for number in range(100):
        item = attempt(number, now - timedelta(minutes=number + 1))
        ledger.put_item(TableName=pipeline.table, Item={name: {"S": value} for name, value in item.items()})
    local_client(aws, "autoscaling").set_desired_capacity(AutoScalingGroupName=pipeline.group, DesiredCapacity=3)
    return pipeline.group


def attempt(number: int, began: datetime) -> dict[str, str]:
    """Return an item of the ledger's history."""
    started, ended = began.isoformat(), (began + timedelta(seconds=30 + number)).isoformat()
    return {
        "pk": f"history#dev/a{number}", "sk": f"{started}#{number:012d}", "recent": "attempts", "outcome": "live",
        "started": started, "sent": started, "ended": ended, "key": f"apps/dev/a{number}.zip", "object_version": "v1",
    }  # fmt: skip


def watch(pid: int, seconds: float) -> None:
    """Measure processor time without the start-up, and memory with it."""
    time.sleep(10)
    start, began = cpu(pid), time.monotonic()
    print(f"started: {start:.2f} s of processor time")
    while (passed := time.monotonic() - began) < seconds:
        time.sleep(min(10, seconds - passed))
        share = (cpu(pid) - start) / (time.monotonic() - began)
        now, peak = memory(pid), memory(pid, "VmHWM")
        passed = time.monotonic() - began
        print(
            f"{passed:4.0f} s: {now:.1f} MB resident, {peak:.1f} MB at its peak, {share:.2%} of a processor", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
