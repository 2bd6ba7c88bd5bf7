"""CloudWatch metrics, as far as we use them. The only module that calls it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class MetricsRefused(Exception):
    """Publishing in this namespace is not allowed; the message names it. Waiting does not help."""


class Metrics:
    """High-resolution metrics of one namespace. All exceptions but `MetricsRefused` are botocore's."""

    def __init__(self, client: CloudWatchClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def publish(self, counts: Mapping[str, float], dimensions: Mapping[str, str], at: datetime) -> None:
        """Publish all metrics in one call, each as one value with a resolution of one second.

        Metrics with ``Seconds`` in their name are in seconds, the others are counts.
        """
        try:
            self._put(counts, [{"Name": name, "Value": value} for name, value in dimensions.items()], at)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in ("AccessDenied", "AccessDeniedException"):
                raise MetricsRefused(f"we are not allowed to publish metrics in {self._namespace}") from error
            raise

    def _put(self, counts: Mapping[str, float], named: Sequence[Mapping[str, str]], at: datetime) -> None:
        self._client.put_metric_data(
            Namespace=self._namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": named,  # type: ignore[typeddict-item]
                    "Timestamp": at,
                    "Value": value,
                    "Unit": "Seconds" if "Seconds" in name else "Count",
                    "StorageResolution": 1,
                }
                for name, value in counts.items()
            ],
        )

    def series(self, name: str, dimensions: Mapping[str, str], start: datetime, end: datetime) -> list[float]:
        """Read the values of one metric, one per second, oldest first; seconds without a value are left out."""
        answer = self._client.get_metric_statistics(
            Namespace=self._namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=start,
            EndTime=end,
            Period=1,
            Statistics=["Maximum"],
        )
        return [point["Maximum"] for point in sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])]

    def several(
        self, names: Mapping[str, str], dimensions: Mapping[str, str], start: datetime, end: datetime, period: int
    ) -> dict[str, dict[int, float]]:
        """Read several metrics at once: of each, the largest value of each period, by the second that it begins at.

        Args:
            names: of the metrics, by how the answer calls them.
            dimensions: that all of them have.
            start: of the first period, in UTC.
            end: of the last, in UTC.
            period: in seconds.
        """
        dimension = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        queries: Any = [
            {
                "Id": f"m{number}",
                "Label": label,
                "MetricStat": {
                    "Metric": {"Namespace": self._namespace, "MetricName": name, "Dimensions": dimension},
                    "Period": period,
                    "Stat": "Maximum",
                },
            }
            for number, (label, name) in enumerate(names.items())
        ]
        found: dict[str, dict[int, float]] = {label: {} for label in names}
        labels = list(names)
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                found[labels[int(result["Id"][1:])]].update((int(at.timestamp()), value) for at, value in points)
        return found


@dataclass(frozen=True, slots=True)
class VersionCalls:
    """Calls of one version of a function, or of several functions. ``duration`` in ms, of all together."""

    count: int = 0
    errors: int = 0
    duration: float = 0.0

    @property
    def rate(self) -> float:
        """Percent of the calls that failed."""
        return 100 * self.errors / self.count if self.count else 0.0

    @property
    def average(self) -> float:
        """The average duration in ms."""
        return self.duration / self.count if self.count else 0.0

    def __add__(self, other: VersionCalls) -> VersionCalls:
        return VersionCalls(self.count + other.count, self.errors + other.errors, self.duration + other.duration)


_PERIOD = 60  # seconds; Lambda's metrics have no finer one
_COUNTED = ("Invocations", "Errors", "Duration")


class FunctionMetrics:
    """Lambda's metrics of the versions behind a weighted alias, which Lambda counts apart."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def calls(self, function: str, alias: str, versions: Sequence[str], start: datetime) -> list[VersionCalls]:
        """Return the calls of each version since a time, to the minute.

        Args:
            function: by name.
            alias: by which it is called.
            versions: between which the alias shares the calls.
            start: in UTC.
        """
        asked = [(version, name) for version in versions for name in _COUNTED]
        queries = [
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": name,
                        "Dimensions": [
                            {"Name": "FunctionName", "Value": function},
                            {"Name": "Resource", "Value": f"{function}:{alias}"},
                            {"Name": "ExecutedVersion", "Value": version},
                        ],
                    },
                    "Period": _PERIOD,
                    "Stat": "Sum",
                },
            }
            for number, (version, name) in enumerate(asked)
        ]
        since = start.replace(second=0, microsecond=0)
        sums = dict.fromkeys(asked, 0.0)
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,  # type: ignore[arg-type]
            StartTime=since,
            EndTime=datetime.now(since.tzinfo) + timedelta(seconds=_PERIOD),
        )
        for result in (one for page in pages for one in page["MetricDataResults"]):
            sums[asked[int(result["Id"][1:])]] += sum(result["Values"])
        return [
            VersionCalls(round(sums[version, "Invocations"]), round(sums[version, "Errors"]), sums[version, "Duration"])
            for version in versions
        ]


class Alarms:
    """The state of alarms."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def ringing(self, names: Sequence[str]) -> list[str]:
        """Return what is wrong: a line for each alarm that rings, or that does not exist."""
        if not names:
            return []
        answer = self._client.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms: Iterable[Any] = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        found = {alarm["AlarmName"]: alarm for alarm in alarms}
        missing = [f"{name} does not exist" for name in names if name not in found]
        rings = [
            f"{name}: {alarm.get('StateReason') or 'no reason is given'}"
            for name, alarm in found.items()
            if alarm["StateValue"] == "ALARM"
        ]
        return [*missing, *rings]
