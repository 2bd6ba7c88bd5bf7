"""Record what the dashboard shows of a run of the local stack: ``python bench/record_dashboard.py``.

Small apps are dropped, some of which fail. What the checker publishes is read from the embedded CloudWatch, what the
metric filters count from the workers' log lines. It writes docs/pictures/dashboard.json; `make pictures` draws it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from alarms import counted
from dashboard import NAMESPACE, PICTURES, QUEUE, body, series_name
from e2e_stack import make_zip, small_chalice, small_zappa
from pipeline_template import read_template

from auto_lambda_cli.local_stack.stack import LocalStack, local_client, prepare_tools

ROUNDS, PAUSE = 4, 45.0  # seconds
_STATISTIC = {"CheckerErrors": "Sum"}


def drop(stack: LocalStack) -> list[str]:
    """Drop apps of every fate, in rounds."""
    s3, keys = local_client(stack.aws, "s3"), []
    zips = {
        "hello": make_zip(small_chalice("'hello'")),
        "shop": make_zip(small_zappa()),
        "broken": make_zip(small_chalice("1 / 0")),
        "missing": make_zip({**small_chalice(), "requirements.txt": "no-such-package-anywhere\n"}),
        "nothing": make_zip({"readme.txt": "no app"}),
    }
    for number in range(ROUNDS):
        for name, content in zips.items():
            key = f"apps/{name}{number if name != 'hello' else ''}.zip"
            s3.put_object(Bucket=stack.pipeline.bucket, Key=key, Body=content)
            keys.append(key)
        time.sleep(PAUSE)
    return keys


def lines_of(stack: LocalStack, until: int) -> list[tuple[float, str]]:
    """The workers' log lines, once so many attempts have finished, each with its second."""
    while True:
        found = [line for child in stack.children if child.module == "worker" for line in _json(child.log)]
        if sum('"event": "finished"' in line or '"event":"finished"' in line for line in found) >= until:
            return [(datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp(), line) for line in found]
        time.sleep(1)


def _json(log: Path) -> Iterator[str]:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("{") and "timestamp" in line:
            yield line


def published(stack: LocalStack, since: datetime) -> dict[str, list[tuple[float, float]]]:
    """What the checker has put into CloudWatch, for the metrics that the dashboard shows."""
    cloudwatch, found = local_client(stack.aws, "cloudwatch"), {}
    names = {metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]}
    for name in sorted(names):
        statistic = _STATISTIC.get(name, "Maximum")
        queue = cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName=name)["Metrics"][0]["Dimensions"]
        points = cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE, MetricName=name, Dimensions=queue, StartTime=since - timedelta(seconds=60),
            EndTime=datetime.now(UTC) + timedelta(seconds=60), Period=10, Statistics=[statistic],
        )["Datapoints"]  # fmt: skip
        found[series_name(NAMESPACE, name, {"QueueName": QUEUE})] = sorted(
            (round(one["Timestamp"].timestamp() - since.timestamp(), 1), round(one[statistic], 3)) for one in points
        )
    return found


def filtered(lines: Sequence[tuple[float, str]], since: float) -> dict[str, list[tuple[float, float]]]:
    """What the template's metric filters count."""
    resources = json.loads(
        json.dumps(read_template()["Resources"]).replace('{"Ref": "MetricsNamespace"}', f'"{NAMESPACE}"')
    )
    filters = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Logs::MetricFilter"]
    found: dict[str, list[tuple[float, float]]] = {}
    for point in counted(lines, filters):
        name = series_name(point.namespace, point.name, dict(point.dimensions))
        if point.value or not point.dimensions:
            found.setdefault(name, []).append((round(point.at - since, 1), round(point.value, 3)))
    return found


def finished(lines: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    """The lines of attempts that have ended, the newest first."""
    ended = [one for _, line in lines if (one := json.loads(line)).get("event") == "finished"]
    kept = ("upload", "outcome", "code", "step")
    return [{name: str(one.get(name) or "") for name in kept} for one in reversed(ended)]


def main() -> None:
    """Run, record, write."""
    prepare_tools().join()
    with tempfile.TemporaryDirectory() as folder, LocalStack.start(Path(folder, "stack")) as stack:
        since = datetime.now(UTC)
        dropped = drop(stack)
        lines = lines_of(stack, len(dropped))
        time.sleep(15)
        series = {**published(stack, since), **filtered(lines, since.timestamp())}
        shown = json.dumps(body())
        kept = {name: points for name, points in series.items() if name.split(" ")[1] in shown}
        text = json.dumps({"series": kept, "rows": finished(lines)}, indent=1, sort_keys=True)
        (PICTURES / "dashboard.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
