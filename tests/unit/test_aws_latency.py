"""The model of AWS's delays with which `bench/aws_latency.py` measures."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODEL = json.loads((ROOT / "bench/latency/model.json").read_text())
_spec = importlib.util.spec_from_file_location("bench_delays", ROOT / "bench/latency/delays.py")
assert _spec
assert _spec.loader
delays: Any = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = delays
_spec.loader.exec_module(delays)


class World:
    """Time that passes only while somebody sleeps, in whichever thread."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made: list[tuple[str, float]] = []
        self._lock = threading.Condition()

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            with self._lock:
                self.now += seconds
                self._lock.notify_all()
            return
        with self._lock:
            until = self.now + seconds
            while self.now < until:
                self._lock.wait(5)

    def call(self, name: str, answer: Any = None) -> Callable[[], Any]:
        def act() -> Any:
            self.made.append((name, self.now))
            return answer

        return act


FIGURES = {
    "cloudformation-call": 1.0, "lambda-update-call": 2.0, "lambda-call": 1.0, "lambda-update-settles": 5.0,
    "change-set": 10.0, "resource": 7.0, "stack-begins": 3.0, "stack-ends": 4.0, "sqs-call": 1.0, "s3-event": 6.0,
}  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def aws(world: World) -> Any:
    return delays.Delays(FIGURES, world.sleep, lambda: world.now)


def changed(*kinds: str, action: str = "Modify") -> list[dict[str, Any]]:
    return [{"ResourceChange": {"ResourceType": f"AWS::{kind}", "Action": action}} for kind in kinds]


def test_a_change_set_is_being_created_for_a_while(aws: Any, world: World) -> None:
    aws.make("cloudformation", "CreateChangeSet", {}, world.call("create", {"Id": "c"}))

    def status() -> str:
        answer = {"Status": "CREATE_COMPLETE", "Changes": []}
        told = aws.make("cloudformation", "DescribeChangeSet", {"ChangeSetName": "c"}, world.call("look", answer))
        return str(told["Status"])

    assert status() == "CREATE_IN_PROGRESS"
    world.sleep(9)
    assert status() == "CREATE_COMPLETE"


def test_a_stack_acts_when_its_aliases_would_move_and_ends_later(aws: Any, world: World) -> None:
    answer = {"Status": "CREATE_COMPLETE", "Changes": changed("Lambda::Function", "Lambda::Version", "Lambda::Alias")}
    aws.make("cloudformation", "DescribeChangeSet", {"ChangeSetName": "c"}, world.call("look", answer))
    began = world.now
    asked = {"ChangeSetName": "c", "StackName": "al-shop-dev"}
    assert aws.make("cloudformation", "ExecuteChangeSet", asked, world.call("execute")) == {}

    def status(name: str) -> str:
        stacks = {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}
        told = aws.make("cloudformation", "DescribeStacks", {"StackName": name}, world.call("describe", stacks))
        return str(told["Stacks"][0]["StackStatus"])

    states: list[str] = []
    while not states or states[-1] != "UPDATE_COMPLETE":
        assert world.now < began + 60, states
        states.append(status("arn:aws:cloudformation:eu-west-1:1:stack/al-shop-dev/1"))
        aws._stacks["al-shop-dev"].acted.wait(0.05 if world.now > began + 25 else 0)
    (acted,) = [at for name, at in world.made if name == "execute"]
    assert 24 <= acted - began <= 27, "the call, its beginning and three resources one after the other"
    assert world.now - began >= 1 + 3 + 3 * 7 + 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (changed("Lambda::Function", "Lambda::Version", "Lambda::Alias"), (3, 0)),
        (changed("Lambda::Function", "Lambda::Function"), (1, 0)),
        (changed("Lambda::LayerVersion", "Lambda::Function", "ApiGateway::RestApi"), (2, 1)),
        (changed("Lambda::Version", action="Remove"), (0, 0)),
    ],
)
def test_resources_wait_for_what_they_refer_to(changes: list[dict[str, Any]], told: tuple[int, int]) -> None:
    assert delays.stages(changes) == told


def test_an_updated_function_settles_under_whichever_name(aws: Any, world: World) -> None:
    aws.make("lambda", "UpdateFunctionCode", {"FunctionName": "shop-dev"}, world.call("update"))
    assert world.now == 2.0

    def state(name: str) -> str:
        answer = {"Configuration": {"LastUpdateStatus": "Successful"}}
        told = aws.make("lambda", "GetFunction", {"FunctionName": name}, world.call("get", answer))
        return str(told["Configuration"]["LastUpdateStatus"])

    assert state("arn:aws:lambda:eu-west-1:1:function:shop-dev:live") == "InProgress"
    assert state("other-dev") == "Successful"
    world.sleep(5)
    assert state("shop-dev") == "Successful"


def test_invocations_take_what_the_function_takes(aws: Any, world: World) -> None:
    aws.make("lambda", "Invoke", {"FunctionName": "shop-dev"}, world.call("invoke"))
    assert world.now == 0.0


def test_a_message_comes_as_late_as_its_event(aws: Any, world: World) -> None:
    aws.make("sqs", "ReceiveMessage", {}, world.call("nothing", {}))
    aws.make("sqs", "ReceiveMessage", {}, world.call("some", {"Messages": [1]}))
    assert world.now == 1 + 1 + 6


def test_calls_are_noted_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    for name in ("s3.GetObject", "s3.PutObject"):
        delays.note(file, name, {"Bucket": "drops", "Key": "apps/dev/shop.zip"}, 1.0)
    noted = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(it["call"], it["about"], it["began"]) for it in noted] == [
        ("s3.GetObject", "apps/dev/shop.zip", 1.0), ("s3.PutObject", "apps/dev/shop.zip", 1.0)
    ]  # fmt: skip
    assert all(it["ended"] > it["began"] for it in noted)


@pytest.mark.parametrize("name", MODEL["figures"])
def test_each_figure_has_a_source_and_stands_in_the_documentation(name: str) -> None:
    figure = MODEL["figures"][name]
    assert all(figure[part] for part in ("says", "taken", "source", "date"))
    page = (ROOT / "docs/reference/performance.md").read_text()
    assert f"| `{name}` | {figure['seconds']:g} |" in page


def test_all_figures_that_are_used_are_in_the_model() -> None:
    assert set(delays.figures()) == {*FIGURES, "s3-call", "dynamodb-call", "ssm-call"}
