"""AWS's delays, injected into a process at botocore's one method that makes calls.

Real sleeps, not scaled. What takes long on AWS's side (a change set, a stack's update, an update of a function) goes on
while the caller polls: the embedded AWS does it at the moment at which AWS would have, and until then it is in progress
for whoever asks.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SWITCH = "BENCH_LATENCY_SWITCH"
"""Names a file in the environment. Delays are injected as long as it exists."""
CALLS = "BENCH_LATENCY_CALLS"
"""Names a file in the environment, to which each call is added as a line of JSON."""
_ABOUT = ("Key", "StackName", "FunctionName", "ChangeSetName")
_ORDER = ({"AWS::Lambda::Function"}, {"AWS::Lambda::Version"}, {"AWS::Lambda::Alias"})
_UPDATES = ("UpdateFunctionCode", "UpdateFunctionConfiguration")
_UPDATING = (*_UPDATES, "PublishVersion")

Figures = Mapping[str, float]
Call = Callable[[], Any]


def figures() -> Figures:
    """Read the model's figures, in seconds."""
    model = json.loads(Path(__file__).with_name("model.json").read_text())
    return {name: float(one["seconds"]) for name, one in model["figures"].items()}


def stages(changes: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many resources change one after the other: until the aliases have moved, and after that.

    Functions wait for what they refer to, versions for functions, aliases for versions, routes and the rest for
    aliases. Resources of one kind change side by side.
    """
    kinds = {
        change["ResourceChange"]["ResourceType"]
        for change in changes
        if change["ResourceChange"]["Action"] in ("Add", "Modify")
    }
    known = frozenset[str]().union(*_ORDER)
    before = {kind for kind in kinds if kind in ("AWS::Lambda::LayerVersion", "AWS::IAM::Role", "AWS::Logs::LogGroup")}
    until = bool(before) + sum(bool(kinds & stage) for stage in _ORDER)
    return until, int(bool(kinds - known - before))


@dataclass
class Running:
    """An operation of a stack: it acts at one moment, and is over for whoever asks at a later one."""

    ends: float
    acted: threading.Event
    failure: Exception | None = None


class Delays:
    """Delays calls as the model says.

    Args:
        figures: seconds by name.
        sleep: waits.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        figures: Figures,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._figures = figures
        self._sleep = sleep
        self._clock = clock
        self._change_sets: dict[str, float] = {}
        self._changes: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._stacks: dict[str, Running] = {}
        self._functions: dict[str, float] = {}

    def make(self, service: str, operation: str, asked: Mapping[str, Any], call: Call) -> Any:
        """Make one call."""
        if operation != "Invoke":
            self._sleep(self._seconds(service, operation))
        handler: Callable[[Mapping[str, Any], Call], Any] | None = getattr(self, f"_{service}_{operation}", None)
        if service == "lambda" and operation in _UPDATING:
            answer = call()
            self._functions[_function(asked)] = self._clock() + self._figures["lambda-update-settles"]
            return answer
        return handler(asked, call) if handler else call()

    def _seconds(self, service: str, operation: str) -> float:
        name = "lambda-update-call" if operation in _UPDATES else f"{service}-call"
        return self._figures.get(name, 0.0)

    def _sqs_ReceiveMessage(self, _: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        answer = call()
        if answer.get("Messages"):
            self._sleep(self._figures["s3-event"])
        return answer

    def _cloudformation_CreateChangeSet(self, _: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        answer = call()
        self._change_sets[answer["Id"]] = self._clock() + self._figures["change-set"]
        return answer

    def _cloudformation_DescribeChangeSet(self, asked: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        answer = call()
        self._changes[asked["ChangeSetName"]] = answer.get("Changes", [])
        waiting = self._clock() < self._change_sets.get(asked["ChangeSetName"], 0.0)
        return {**answer, "Status": "CREATE_IN_PROGRESS"} if waiting else answer

    def _cloudformation_ExecuteChangeSet(self, asked: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        until, after = stages(self._changes.get(asked["ChangeSetName"], []))
        one = self._figures["resource"]
        acts = self._figures["stack-begins"] + until * one
        running = Running(self._clock() + acts + after * one + self._figures["stack-ends"], threading.Event())
        self._stacks[asked["StackName"]] = running

        def act() -> None:
            self._sleep(acts)
            try:
                call()
            except Exception as error:  # noqa: BLE001 - whoever follows the stack is told
                running.failure = error
            running.acted.set()

        threading.Thread(target=act, daemon=True).start()
        return {}

    def _cloudformation_DescribeStacks(self, asked: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        name = str(asked.get("StackName", ""))
        running = self._stacks.get(name.split("/")[1] if "/" in name else name)
        if running is None:
            return call()
        if running.failure:
            raise running.failure
        over = running.acted.is_set() and self._clock() >= running.ends
        answer = call()
        if not over:
            for stack in answer["Stacks"]:
                stack["StackStatus"] = "UPDATE_IN_PROGRESS"
        return answer

    def _settling(self, asked: Mapping[str, Any], configuration: dict[str, Any]) -> None:
        if self._clock() < self._functions.get(_function(asked), 0.0):
            configuration["LastUpdateStatus"] = "InProgress"

    def _lambda_GetFunction(self, asked: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        answer = call()
        self._settling(asked, answer["Configuration"])
        return answer

    def _lambda_GetFunctionConfiguration(self, asked: Mapping[str, Any], call: Call) -> Any:  # noqa: N802
        answer = call()
        self._settling(asked, answer)
        return answer


def _function(asked: Mapping[str, Any]) -> str:
    """Return a function's name, whichever way it was named."""
    name = str(asked["FunctionName"])
    return name.split(":")[6] if name.startswith("arn:") else name.split(":")[0]


def note(file: Path, name: str, asked: Mapping[str, Any], began: float) -> None:
    """Add a call that has ended to a file; seconds are those of the machine's monotonic clock."""
    about = next((str(asked[it]) for it in _ABOUT if it in asked), "")
    thread = threading.current_thread().name
    told = {"began": began, "ended": time.monotonic(), "call": name, "about": about, "thread": thread}
    with file.open("a") as lines:
        lines.write(json.dumps(told) + "\n")


def install() -> None:
    """Delay every call of this process from now on, while the switch is on."""
    from botocore import client

    base: Any = client.BaseClient
    plain: Callable[[Any, str, Mapping[str, Any]], Any] = base._make_api_call
    delays, switch = Delays(figures()), Path(os.environ.get(SWITCH, "/nonexistent"))
    calls = Path(os.environ[CALLS]) if CALLS in os.environ else None

    def delayed(self: Any, operation: str, asked: Mapping[str, Any]) -> Any:
        service, began = self._service_model.service_name, time.monotonic()
        try:
            if not switch.exists():
                return plain(self, operation, asked)
            return delays.make(service, operation, asked, lambda: plain(self, operation, asked))
        finally:
            if calls:
                note(calls, f"{service}.{operation}", asked, began)

    base._make_api_call = delayed
