"""Kills the flex controller before and after each call of AWS, and lets each fail, all the way up and down.

The first part of ``make chaos``. The exit code is 1 when a single way differed from the undisturbed one.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parents[2] / "apps"))

from flex_kills import FAULTS, KILLS, journey, kills_of_a_way, same_end

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.running_stacks import REGION


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="chaos-flex-") as folder, EmbeddedAws.start(Path(folder)) as aws:

        def client(service: str) -> Any:
            return boto3.client(  # type: ignore[call-overload]
                service, endpoint_url=aws.endpoint, region_name=REGION,
                aws_access_key_id="local", aws_secret_access_key="local",
            )  # fmt: skip

        failed = run = 0
        for killer, what in kills_of_a_way(client, _name(), ways=(*KILLS, *FAULTS)):
            seen = journey(client, _name(), killer)
            run += 1
            if not same_end(seen):
                failed += 1
                sys.stderr.write(f"flex: FAIL: killed {what}: {seen}\n")
    sys.stdout.write(f"flex: {run} kills and faults, {failed} ways that differ\n")
    return 1 if failed else 0


def _name() -> str:
    return f"k{uuid.uuid4().hex[:10]}"


if __name__ == "__main__":
    sys.exit(main())
