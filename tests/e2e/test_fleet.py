"""The loop closed: drops on an empty fleet bring workers, these deploy them all, and then there are none again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from e2e_stack import Drop, LocalUp, Stack, make_zip, small_chalice, small_zappa, until

DROPS = 20
LARGEST = 3
PATIENCE = 240.0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[LocalUp]:
    stack = LocalUp(tmp_path, "--fleet", "--max", str(LARGEST), "--boot-seconds", "1")
    try:
        yield stack
    finally:
        stack.end()


def drop_all(stack: Stack) -> list[Drop]:
    kinds = [small_chalice(), small_zappa()]
    return [stack.drop(f"burst-{number}", make_zip(kinds[number % 2])) for number in range(DROPS)]


def workers(stack: Stack) -> list[float]:
    """WorkersInService as the checker published it, by the second."""
    now = datetime.now(UTC)
    points = stack.client("cloudwatch").get_metric_statistics(
        Namespace=stack.ready["namespace"],
        MetricName="WorkersInService",
        Dimensions=[{"Name": "QueueName", "Value": stack.queue.rpartition("/")[2]}],
        StartTime=now - timedelta(minutes=20),
        EndTime=now + timedelta(minutes=1),
        Period=1,
        Statistics=["Maximum"],
    )["Datapoints"]
    return [point["Maximum"] for point in sorted(points, key=lambda point: point["Timestamp"])]


@pytest.mark.timeout(420)
def test_the_fleet_follows_the_queue_from_nothing_and_back(up: LocalUp) -> None:
    stack = up.ready()
    until(lambda: workers(stack), PATIENCE, lambda: "the checker publishes no workers")
    assert set(workers(stack)) == {0}
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda drop: stack.live(drop, PATIENCE), drop_all(stack)))
        assert {answer.status for answer in pool.map(lambda receipt: stack.http(receipt["url"]), receipts)} == {200}
    seen = until(lambda: series if (series := workers(stack))[-1] == 0 else None, PATIENCE, up.tail)
    assert 1 < max(seen) <= LARGEST
    log = until(lambda: text if all_gone(text := up.tail(10**6)) else None, PATIENCE, up.tail)
    assert not re.search("killed|replaced|never came", log), log
    assert_nobody_was_stopped_busy(Path(stack.ready["folder"]))


def all_gone(log: str) -> bool:
    """Tell whether every instance that was launched has terminated itself."""
    launched = set(re.findall(r"(i-\w+) launched", log))
    return bool(launched) and launched == set(re.findall(r"(i-\w+) gone: it asked to go", log))


def assert_nobody_was_stopped_busy(folder: Path) -> None:
    logs = list(folder.glob("i-*.log"))
    assert len(logs) > 1
    for log in logs:
        events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        drained = [event for event in events if event["event"] == "drained"]
        assert [event["handed_back"] for event in drained] == [0], log.read_text()
        assert not [event for event in events if event["event"] == "handed back"]
        assert {event["attempt"] for event in events if event["event"] == "finished"} <= {1}
