"""What the outside is told: metrics, events and log lines, and the alarm that watches them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from ecs_updater.chalicelib.telling import Telling

APP = Path(__file__).parents[5] / "apps" / "ecs_updater"
ROW = {"service": "shop/web", "behind": True, "why": "being deployed", "scaling": ""}


@dataclass
class Aws:
    """Takes metrics and events, or refuses all of them."""

    broken: bool = False
    data: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
        if self.broken:
            raise OSError("no metrics today")
        assert Namespace == "space"
        self.data.extend(MetricData)

    def put_events(self, Entries: list[dict[str, Any]]) -> None:  # noqa: N803
        if self.broken:
            raise OSError("no events today")
        self.entries.extend(Entries)

    @property
    def metrics(self) -> dict[str, float]:
        return {one["MetricName"]: one["Value"] for one in self.data}


def telling(aws: Aws, lines: list[str]) -> Telling:
    return Telling("r1", "space", aws, aws, lines.append)


def test_a_failure_is_an_event_a_metric_and_a_line() -> None:
    aws, lines = Aws(), []  # type: ignore[var-annotated]
    told = telling(aws, lines)
    told.failed("shop/web", "shop:2", "tasks failed to start")
    told.converged([ROW], [])
    (entry,) = aws.entries
    assert (entry["Source"], entry["DetailType"]) == ("ecs-updater", "Update Failed")
    assert json.loads(entry["Detail"]) == {
        "service": "shop/web", "revision": "shop:2", "why": "tasks failed to start", "run": "r1",
    }  # fmt: skip
    assert aws.metrics == {"Failures": 1, "Behind": 1}
    assert [json.loads(line)["event"] for line in lines] == ["failed", "service", "converged"]


def test_what_was_done_is_counted_and_a_cluster_that_cannot_be_read_is_behind() -> None:
    aws = Aws()
    told = telling(aws, [])
    told.updated("shop/web", "shop:1", "shop:2")
    told.running("shop/web", "shop:2", 42.5)
    told.scaled("shop/web", 2, 3, "busy in alarm")
    told.refused("shop/api", "not granted")
    told.converged([{**ROW, "behind": False}], ["there is no cluster gone"])
    assert aws.metrics == {"Updates": 1, "LagSeconds": 42.5, "Scalings": 1, "Refusals": 1, "Behind": 1}


def test_telling_in_vain_stops_nothing_and_is_in_the_log() -> None:
    lines: list[str] = []
    told = telling(Aws(broken=True), lines)
    told.failed("shop/web", "shop:2", "why")
    told.converged([], [])
    assert [json.loads(line)["event"] for line in lines] == ["failed", "event-lost", "converged", "metrics-lost"]


@pytest.fixture(scope="module")
def alarm() -> dict[str, Any]:
    template, _ = decode(str(APP / "setup.yaml"))
    assert template
    return dict(template["Resources"]["NotRunningAsWanted"]["Properties"])


def test_the_alarm_watches_what_is_published_also_when_nothing_is(alarm: dict[str, Any]) -> None:
    aws = Aws()
    telling(aws, []).converged([ROW], [])
    assert alarm["MetricName"] in aws.metrics
    (stage,) = json.loads((APP / ".chalice" / "config.json").read_text())["stages"].values()
    assert alarm["Namespace"] == stage["environment_variables"]["NAMESPACE"]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["TreatMissingData"]) == ("Minimum", 1, "breaching")
