"""Each alarm of the template on metrics as checker and worker really make them: it fires when it should, else not.

What CloudWatch does with a definition is played by tests/support/alarms.py.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from alarms import Point, Recorder, counted, matches, states
from botocore.exceptions import ClientError
from event_bus import FakeBus
from pipeline_template import REPOSITORY, read_template
from tables import FakeTable

from auto_lambda import logs
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.cloudwatch import Metrics
from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Depth, Message
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt, ReceiptError
from auto_lambda.redact import Redactor
from checker.publish import to_errors, to_metrics
from checker.sample import Sample
from worker.cancellation import CancelToken
from worker.consumer.daemon import PutOff
from worker.consumer.inbox import Delivery
from worker.consumer.messages import ParsedMessage
from worker.handler import DeliveryHandler
from worker.model import Upload
from worker.records.event import refusal_of
from worker.records.ledger import Ledger
from worker.records.outbox import Outbox
from worker.records.receipt import Report
from worker.workdir import workroom

NAMESPACE, QUEUE = "AutoLambda", "drops"
QUEUE_URL = f"https://sqs.eu-west-1.amazonaws.com/123456789012/{QUEUE}"
TEN = 10 * 60.0
QUIET, WAITING = Depth(0, 0, 0), Depth(3, 0, 0)
NOBODY, TWO = Capacity(0, 0, 0, 0), Capacity(2, 0, 0, 2)


def resolved(node: Any) -> Any:
    """A template's node with the few references that alarms and filters make."""
    if isinstance(node, dict):
        if node == {"Ref": "MetricsNamespace"}:
            return NAMESPACE
        if node == {"Fn::GetAtt": ["Queue", "QueueName"]}:
            return QUEUE
        return {name: resolved(value) for name, value in node.items()}
    return [resolved(value) for value in node] if isinstance(node, list) else node


RESOURCES: dict[str, Any] = resolved(read_template()["Resources"])
FILTERS = [it["Properties"] for it in RESOURCES.values() if it["Type"] == "AWS::Logs::MetricFilter"]
ALARMS = {name: it["Properties"] for name, it in RESOURCES.items() if it["Type"] == "AWS::CloudWatch::Alarm"}


def ever(alarm: str, points: list[Point], seconds: float = TEN) -> bool:
    return "ALARM" in {state for _, state in states(ALARMS[alarm], points, 0, seconds)}


def at_end(alarm: str, points: list[Point], seconds: float = TEN) -> str:
    return states(ALARMS[alarm], points, 0, seconds)[-1][1]


class Checker:
    """A checker that looks every so often, with its real way from a sample to PutMetricData."""

    def __init__(self) -> None:
        self.cloudwatch = Recorder()
        self._metrics = Metrics(self.cloudwatch, NAMESPACE)  # type: ignore[arg-type]
        self._publish = to_metrics(self._metrics, QUEUE_URL)
        self.oldest = 0.0

    def looks(
        self,
        start: float,
        end: float,
        depth: Depth,
        capacity: Capacity | None = NOBODY,
        letters: int = 0,
        every: int = 5,
    ) -> Checker:
        for second in range(int(start), int(end), every):
            at = datetime.fromtimestamp(second, UTC)
            self._publish(Sample(at, depth, letters, capacity, (30.0, 50.0), self.oldest))
        return self

    def fails(self, start: float, end: float) -> Checker:
        for second in range(int(start), int(end), 5):
            to_errors(self._metrics, QUEUE_URL, lambda at=second: datetime.fromtimestamp(at, UTC))(1)  # type: ignore[misc]
        return self

    @property
    def points(self) -> list[Point]:
        return self.cloudwatch.points


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """What a worker writes to its log on a machine: the file of which CloudWatch's agent ships each line as it is."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    file = tmp_path / "log.jsonl"
    file.touch()
    logs.configure("info", io.StringIO(), file)
    yield file
    structlog.reset_defaults()
    root.handlers[:], root.level = before, level


def as_metrics(written: Path, at: float = 60.0) -> list[Point]:
    return list(counted([(at, line) for line in written.read_text().splitlines()], FILTERS))


def attempt(app: str, trouble: Exception) -> None:
    """One that ends in trouble, by the worker's own code around the pipeline."""

    def run(*_: object, **__: object) -> None:
        raise trouble

    def put(*_: object) -> None:
        """Receipts and logs of nobody."""

    def head(bucket: str, key: str) -> Head:
        return Head(key, 7, "v1", datetime.now(UTC))

    handler = DeliveryHandler(
        SimpleNamespace(run=run),  # type: ignore[arg-type]
        Ledger(FakeTable(), seconds=60),
        SimpleNamespace(head=head),  # type: ignore[arg-type]
        lambda receipt, bucket: Report(receipt, bucket, SimpleNamespace(put=put), Redactor()),
        SimpleNamespace(restore=lambda *_: None, standing=lambda _: None),  # type: ignore[arg-type]
        lambda *_: None,
        worker="w",
    )
    upload = Upload(App("dev", app), "uploads", f"apps/dev/{app}.zip", "v1")
    delivery = Delivery(Message("m", "h", "", 1, datetime.now(UTC)), ParsedMessage((upload,), ()))
    if isinstance(trouble, AppError):
        handler.handle(delivery, CancelToken())
        return
    with pytest.raises(PutOff if isinstance(trouble, ClientError) else type(trouble)):
        handler.handle(delivery, CancelToken())


def test_dead_letters_keep_the_alarm_on_as_long_as_one_lies_there_and_no_longer() -> None:
    """Known bug 8: level, not edge."""
    hour = 3600.0
    checker = Checker().looks(0, 600, QUIET, letters=0).looks(600, 3000, QUIET, letters=1)
    checker.looks(3000, hour, QUIET, letters=0)
    seen = dict(states(ALARMS["DeadLettersPresent"], checker.points, 0, hour))
    assert {state for at, state in seen.items() if at <= 600} == {"OK"}
    assert {state for at, state in seen.items() if 600 < at <= 3000} == {"ALARM"}
    assert {state for at, state in seen.items() if at > 3000} == {"OK"}


def test_dead_letters_are_not_forgotten_while_the_checker_is_silent() -> None:
    checker = Checker().looks(0, 300, QUIET, letters=1)
    assert at_end("DeadLettersPresent", checker.points, 3600) == "ALARM"


def test_a_checker_that_looks_as_seldom_as_it_may_is_not_silent() -> None:
    assert not ever("CheckerSilent", Checker().looks(0, TEN, QUIET, every=30).points)


def test_a_checker_that_is_away_for_two_minutes_is_not_silent_yet_for_three_it_is() -> None:
    def away(minutes: int) -> list[Point]:
        return Checker().looks(0, 180, QUIET).looks(180 + 60 * minutes, TEN, QUIET).points

    assert not ever("CheckerSilent", away(2))
    assert ever("CheckerSilent", away(3))
    assert at_end("CheckerSilent", away(3)) == "OK"


def test_a_checker_whose_looks_all_fail_is_silent_whatever_it_counts() -> None:
    assert ever("CheckerSilent", Checker().looks(0, 120, QUIET).fails(120, TEN).points)


@pytest.mark.parametrize(
    ("depth", "capacity", "fires"),
    [(WAITING, NOBODY, True), (WAITING, TWO, False), (QUIET, NOBODY, False), (WAITING, Capacity(0, 3, 0, 3), True)],
    ids=["nobody comes", "somebody works", "nothing waits", "machines that never get into service"],
)
def test_a_backlog_without_capacity(depth: Depth, capacity: Capacity, *, fires: bool) -> None:
    assert ever("BacklogWithoutCapacity", Checker().looks(0, TEN, depth, capacity).points) is fires


def test_a_backlog_that_somebody_comes_for_within_ten_minutes_is_none_without_capacity() -> None:
    checker = Checker().looks(0, 590, WAITING).looks(590, 1200, WAITING, TWO)
    assert not ever("BacklogWithoutCapacity", checker.points, 1200)


def test_a_single_box_without_a_group_never_lacks_capacity() -> None:
    assert not ever("BacklogWithoutCapacity", Checker().looks(0, TEN, WAITING, None).points)


OURS, THEIRS = OSError("disk full"), AppError(Code.NO_FRAMEWORK, "no app", hint="add one")


@pytest.mark.parametrize(
    ("troubles", "fires"),
    [([OURS] * 3, True), ([OURS] * 2, False), ([THEIRS] * 9, False), ([OURS, THEIRS, OURS, THEIRS, OURS], True)],
    ids=["three of ours", "two of ours", "the uploaders' own", "mixed"],
)
def test_failures_on_our_side(written: Path, troubles: list[Exception], *, fires: bool) -> None:
    for number, trouble in enumerate(troubles):
        attempt(f"a{number}", trouble)
    assert ever("FailuresOnOurSide", as_metrics(written), 900) is fires


def test_what_aws_throttles_is_no_failure_on_our_side(written: Path) -> None:
    slower = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "CreateChangeSet")
    for number in range(5):
        attempt(f"a{number}", slower)
    assert not ever("FailuresOnOurSide", as_metrics(written), 900)


def test_a_line_of_a_journal_as_the_agent_ships_it_is_counted_by_no_filter(written: Path) -> None:
    """Why the agent collects files: it wraps a journal's lines, and text inside of text matches no pattern."""
    attempt("a", OURS)
    lines = [json.dumps({"body": {"MESSAGE": line}}) for line in written.read_text().splitlines()]
    assert as_metrics(written)
    assert {point.value for point in counted([(60.0, line) for line in lines], FILTERS)} == {0.0}


@pytest.mark.parametrize(
    ("oldest", "capacity", "fires"),
    [(2400.0, TWO, True), (2400.0, NOBODY, True), (1200.0, TWO, False), (0.0, NOBODY, False)],
    ids=["workers that come and go", "nobody comes", "a long queue", "an empty queue"],
)
def test_an_upload_that_waits_is_seen_even_if_machines_come_and_go(
    oldest: float, capacity: Capacity, *, fires: bool
) -> None:
    checker = Checker()
    checker.oldest = oldest
    checker.looks(0, 1200, WAITING, capacity)
    assert ever("OldestUploadWaits", checker.points, 1200) is fires


def test_an_upload_that_is_done_within_ten_minutes_is_no_alarm() -> None:
    checker = Checker()
    checker.oldest = 2400.0
    checker.looks(0, 590, WAITING, TWO)
    checker.oldest = 0.0
    checker.looks(590, 1200, QUIET, TWO)
    assert not ever("OldestUploadWaits", checker.points, 1200)


def test_failures_on_our_side_that_are_hours_apart_are_no_alarm(written: Path) -> None:
    attempt("a", OURS)
    once = written.read_text().splitlines()
    lines = [(at, line) for at in (100.0, 4000.0, 8000.0) for line in once]
    assert not ever("FailuresOnOurSide", list(counted(lines, FILTERS)), 9000)


@pytest.mark.parametrize(("deaths", "fires"), [(2, True), (1, False), (0, False)])
def test_workers_restart(written: Path, tmp_path: Path, deaths: int, *, fires: bool) -> None:
    for _ in range(deaths):
        with workroom(tmp_path / "left"):  # a worker that is killed leaves its room, and the lock on it is gone
            (tmp_path / "left" / "worker-dead").mkdir()
        with workroom(tmp_path / "left"):
            """The next one finds it."""
    for _ in range(3):
        with workroom(tmp_path / "clean"):
            """One that ends by itself leaves nothing."""
    assert ever("WorkersRestart", as_metrics(written), 900) is fires


def not_sent(times: int) -> None:
    """Events that EventBridge does not take, by the worker's own outbox."""
    table, bus = FakeTable(), FakeBus(refuse=lambda _: "AccessDeniedException: not authorized")
    outbox = Outbox(table, bus, pause=0)
    for number in range(times):
        at = datetime.fromtimestamp(number, UTC)
        receipt = Receipt("apps/A.zip", "w", status="failed", error=ReceiptError("bad-key", "no", "rename it"))
        table.write(outbox.put(refusal_of(receipt, "uploads", f"m{number}", at)))
    outbox.send_left_over()


@pytest.mark.parametrize(("times", "fires"), [(1, True), (0, False)])
def test_events_that_are_not_sent(written: Path, times: int, *, fires: bool) -> None:
    not_sent(times)
    assert ever("EventsNotSent", as_metrics(written), 300) is fires


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_the_alarms_that_leave_zero_go_off_one_period_after_the_other(number: int) -> None:
    points = Checker().looks(4, 60, WAITING).points
    first = next(at for at, state in states(ALARMS[f"ScaleFromZero{number}"], points, 0, 60) if state == "ALARM")
    assert first == 10 * number
    assert not ever(f"ScaleFromZero{number}", Checker().looks(4, 60, WAITING, TWO).points, 60)
    assert not ever(f"ScaleFromZero{number}", Checker().looks(4, 60, QUIET).points, 60)


def test_workers_are_idle_only_when_they_were_for_two_minutes() -> None:
    assert ever("WorkersIdle", Checker().looks(0, 240, QUIET, TWO).points, 240)
    assert not ever("WorkersIdle", Checker().looks(0, 240, Depth(0, 2, 0), TWO).points, 240)
    busy_at_times = Checker().looks(0, 90, QUIET, TWO).looks(90, 95, WAITING, TWO).looks(95, 170, QUIET, TWO)
    assert not ever("WorkersIdle", busy_at_times.points, 180)


@pytest.fixture
def published(written: Path, tmp_path: Path) -> set[tuple[str, frozenset[str]]]:
    """Every metric that checker and worker make, with the names of its dimensions."""
    attempt("a", OURS)
    not_sent(1)
    live = {"event": "finished", "outcome": "live", "step": "verify", "framework": "zappa", "since_drop": 12.5}
    source = (REPOSITORY / "worker/settlement.py").read_text()
    assert all(f"{name}=" in source for name in live if name != "event")
    (tmp_path / "rooms" / "worker-dead").mkdir(parents=True)
    with workroom(tmp_path / "rooms"):
        pass
    failed = {"event": "finished", "outcome": "failed", "step": "build", "code": "bad-requirements"}
    with written.open("a") as log:
        log.writelines(json.dumps(line) + "\n" for line in (live, failed))
    points = as_metrics(written) + Checker().looks(0, 10, WAITING, TWO).fails(0, 10).points
    return {(it.name, frozenset(name for name, _ in it.dimensions)) for it in points if it.namespace == NAMESPACE}


def test_every_alarm_looks_at_a_metric_that_is_published_with_these_dimensions(
    published: set[tuple[str, frozenset[str]]],
) -> None:
    for name, alarm in ALARMS.items():
        dimensions = {it["Name"]: it["Value"] for it in alarm.get("Dimensions", ())}
        assert (alarm["MetricName"], frozenset(dimensions)) in published, name
        assert alarm["Namespace"] == NAMESPACE
        assert dimensions.get("QueueName", QUEUE) == QUEUE
    metric = RESOURCES["BacklogTracking"]["Properties"]["TargetTrackingConfiguration"]["CustomizedMetricSpecification"]
    assert (metric["MetricName"], frozenset(it["Name"] for it in metric["Dimensions"])) in published


def test_every_graph_of_the_dashboard_shows_metrics_that_are_published_with_these_dimensions(
    published: set[tuple[str, frozenset[str]]],
) -> None:
    body, _ = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    body = body.replace("${NS}", NAMESPACE).replace("${Q}", QUEUE)
    shown, searched = set(), set()
    for widget in json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]:
        before: list[str] = []
        for row in widget["properties"].get("metrics", ()):
            if isinstance(row[0], dict):
                for dimensions, name in re.findall(rf"\{{{NAMESPACE},([\w,]+)\}} MetricName=\"(\w+)\"", str(row[0])):
                    searched.add((name, frozenset(dimensions.split(","))))
                continue
            texts = [text for text in row if isinstance(text, str)]
            if texts[0] == "...":
                texts = before
            texts = [before[place] if text == "." else text for place, text in enumerate(texts)]
            before = texts
            if texts[0] == NAMESPACE:
                assert texts[3::2] == [QUEUE] * len(texts[3::2])
                shown.add((texts[1], frozenset(texts[2::2])))
            else:
                assert texts[:2] == ["AWS/AutoScaling", "GroupDesiredCapacity"]
                assert RESOURCES["WorkerGroup"]["Properties"]["MetricsCollection"]
    assert len(shown) > 10
    assert searched == {
        ("Attempts", frozenset({"Outcome", "Step"})), ("Builds", frozenset({"Framework"})),
        ("Failures", frozenset({"Code"})),
    }  # fmt: skip
    assert shown | searched <= published


def test_the_double_reads_patterns_as_they_are_meant() -> None:
    pattern = '{ $.event = "finished" && $.outcome = "live" && $.since_drop >= 0 }'
    assert matches(pattern, {"event": "finished", "outcome": "live", "since_drop": 0})
    assert not matches(pattern, {"event": "finished", "outcome": "live", "since_drop": None})
    assert not matches(pattern, {"event": "finished", "outcome": "failed", "since_drop": 3})
    assert not matches('{ $.framework = "*" }', {"framework": None})
