"""What a flex stack says of itself, read once into plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

PREFIX = "al-Flex-"
"""Begins the names of flex stacks; no app's own stack has a capital letter."""
LAMBDA, BOTH, FARGATE = "lambda", "both", "fargate"
AUTO, UP, DOWN, PAUSE = "auto", "up", "down", "pause"
PHASES, MODES = (LAMBDA, BOTH, FARGATE), (AUTO, UP, DOWN, PAUSE)
ALARM, OK = "ALARM", "OK"
_TOKEN = re.compile(r"flex-(lambda|both|fargate)-(\d{1,3})-(rescue-)?\d+")
_ONE = "AWS::CloudFormation::Stack"


class BadStack(Exception):
    """A stack is not one that can be controlled; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of an app's ``[flex]`` section that the controller needs.

    Attributes:
        ttl: of the DNS records.
        cool_down: the pause after a transition before the traffic's side is reconsidered.
        patience: the time that tasks have to become healthy.
        per_hour: the most transitions in an hour.
        min_tasks, max_tasks: bounds of the number of tasks.
        dns: whether traffic is moved by DNS, not by a standing load balancer.
    """

    ttl: timedelta = timedelta(seconds=60)
    cool_down: timedelta = timedelta(seconds=600)
    patience: timedelta = timedelta(seconds=900)
    per_hour: int = 12
    min_tasks: int = 1
    max_tasks: int = 1
    dns: bool = True

    @property
    def drain(self) -> timedelta:
        """How long clients may go on asking where the traffic was: slow resolvers keep a record for twice its TTL."""
        return 2 * self.ttl if self.dns else timedelta(0)

    @classmethod
    def read(cls, text: str) -> Settings:
        """Read the stack's output.

        Raises:
            BadStack: it is not what the pipeline writes there.
        """
        try:
            told = json.loads(text)
            return cls(
                ttl=timedelta(seconds=told.get("ttl", 60)),
                cool_down=timedelta(seconds=told.get("cool_down", 600)),
                patience=timedelta(seconds=told.get("patience", 900)),
                per_hour=int(told.get("transitions_per_hour", 12)),
                min_tasks=max(1, int(told.get("min_tasks", 1))),
                max_tasks=int(told.get("max_tasks", 1)),
                dns=told.get("variant", "dns") == "dns",
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadStack(f"its output Settings cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A transition that the controller has begun. ``ended`` is None while CloudFormation is at work."""

    began: datetime
    phase: str
    weight: int
    ended: datetime | None = None
    failed: bool = False
    rescue: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """What the stack's events tell.

    Attributes:
        settled: when the last operation ended; its beginning while it has not.
        attempts: the controller's own, newest first.
        failure: why the last operation was taken back, empty if it was not.
        leftovers: resources that the last operation could not delete.
    """

    settled: datetime
    attempts: tuple[Attempt, ...] = ()
    failure: str = ""
    leftovers: tuple[str, ...] = ()

    @classmethod
    def read(cls, events: Iterable[Mapping[str, Any]], since: datetime) -> History:
        """Read events, newest first, back to ``since``, and at least to the beginning of the last operation."""
        settled: datetime | None = None
        ended: dict[str, tuple[datetime, str]] = {}
        attempts: list[Attempt] = []
        failures: list[Mapping[str, Any]] = []
        leftovers: list[Mapping[str, Any]] = []
        deleted: set[str] = set()
        begun = False
        for event in events:
            when, status = event["Timestamp"], event["ResourceStatus"]
            if begun and when < since:
                break
            token = event.get("ClientRequestToken", "")
            if event["ResourceType"] != _ONE or event["PhysicalResourceId"] != event["StackId"]:
                if not begun and status == "DELETE_COMPLETE":
                    deleted.add(event["PhysicalResourceId"])
                elif not begun and status == "DELETE_FAILED" and event["PhysicalResourceId"] not in deleted:
                    leftovers.append(event)
                    deleted.add(event["PhysicalResourceId"])  # CloudFormation tries it three times
                elif not begun and status.endswith("_FAILED"):
                    failures.append(event)
                continue
            settled = settled or when
            if not status.endswith("_IN_PROGRESS"):
                ended.setdefault(token, (when, status))
            elif status in ("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"):
                begun = True
                if made := _TOKEN.fullmatch(token):
                    end, how = ended.get(token, (None, ""))
                    attempts.append(Attempt(when, made[1], int(made[2]), end, "ROLLBACK" in how, bool(made[3])))
        named = tuple(str(one["LogicalResourceId"]) for one in reversed(leftovers))
        return cls(settled or datetime.min.replace(tzinfo=UTC), tuple(attempts), _reason(failures), named)


def _reason(failures: list[Mapping[str, Any]]) -> str:
    """Return the reason of what failed first by itself; events are newest first."""
    for event in reversed(failures):
        reason = str(event.get("ResourceStatusReason", ""))
        if "cancelled" not in reason:
            return f"{event['LogicalResourceId']}: {reason}"
    return ""


@dataclass(frozen=True, slots=True)
class Flex:
    """A flex stack as CloudFormation describes it.

    Attributes:
        updated: when the last operation began.
        outputs, tags: by name.
        parameters: the names of all that the template has.
    """

    arn: str
    name: str
    status: str
    phase: str
    weight: int
    mode: str
    updated: datetime
    settings: Settings
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Flex:
        """Read one of the answers of ``DescribeStacks``.

        Raises:
            BadStack: a parameter or an output is missing or not valid.
        """
        parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in told.get("Parameters", ())}
        outputs = {one["OutputKey"]: one.get("OutputValue", "") for one in told.get("Outputs", ())}
        phase, mode, weight = (parameters.get(name, "") for name in ("Phase", "Mode", "FargateWeight"))
        if phase not in PHASES or mode not in MODES or not (re.fullmatch(r"\d{1,3}", weight) and int(weight) <= 100):
            raise BadStack(f"its parameters are not those of a flex stack: {phase!r}, {weight!r}, {mode!r}")
        return cls(
            arn=told["StackId"],
            name=told["StackName"],
            status=told["StackStatus"],
            phase=phase,
            weight=int(weight),
            mode=mode,
            updated=told.get("LastUpdatedTime") or told["CreationTime"],
            settings=Settings.read(outputs.get("Settings", "{}")),
            outputs=outputs,
            tags={one["Key"]: one["Value"] for one in told.get("Tags", ())},
            parameters=tuple(parameters),
        )

    @property
    def app(self) -> str:
        """The app's name, as its tag or else the stack's name says."""
        return self.tags.get("auto-lambda:app") or self.name.removeprefix(PREFIX).rpartition("-")[0]

    @property
    def stage(self) -> str:
        """The app's stage."""
        return self.tags.get("auto-lambda:stage") or self.name.rpartition("-")[2]

    @property
    def alarms(self) -> tuple[str, str]:
        """The names of the alarms that tell high and low demand; empty where there is none at this time."""
        high, low, *_ = [*re.split(r"[\s,]+", self.outputs.get("AlarmNames", "").strip()), "", ""]
        return high, low

    @property
    def busy(self) -> bool:
        """Whether CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of a service. ``healthy`` is None if it is not known; ``said`` is what ECS said last."""

    healthy: int | None = 0
    running: int = 0
    desired: int = 0
    said: str = ""
