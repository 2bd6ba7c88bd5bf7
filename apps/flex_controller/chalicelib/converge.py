"""Looks at every flex stack and begins at most one transition of each. Nothing is remembered but by the stacks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .fronts import Fronts
from .model import BOTH, LAMBDA, PREFIX, BadStack, Flex, Tasks
from .stacks import Busy, Stacks
from .step import Action, Move, Observed, Stay, step
from .telling import Telling


@dataclass(frozen=True, slots=True)
class Row:
    """What is to be said of an app. ``seen`` is None if its stack could not be looked at."""

    name: str
    seen: Observed | None
    action: Action
    problem: bool = False

    @property
    def stuck(self) -> bool:
        """Whether a person has to look."""
        left = bool(self.seen and self.seen.history.leftovers)
        return self.problem or left or (isinstance(self.action, Stay) and self.action.stuck)

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        app, _, stage = self.name.removeprefix(PREFIX).rpartition("-")
        known = _known(self.seen) if self.seen else {"app": app, "stage": stage, "phase": "not known"}
        at = self.action.at if isinstance(self.action, Stay) else None
        return {
            **known,
            "next": at.isoformat(timespec="seconds") if at else None,
            "why": self._why(),
            "stuck": self.stuck,
        }

    def _why(self) -> str:
        left = self.seen.history.leftovers if self.seen else ()
        said = f"; could not be deleted, and still costs: {', '.join(left)}" if left else ""
        return f"{self.action.why}{said}"


def _known(seen: Observed) -> dict[str, Any]:
    flex, tasks = seen.flex, seen.tasks
    return {
        "app": flex.app,
        "stage": flex.stage,
        "domain": flex.outputs.get("Domain", ""),
        "variant": "dns" if flex.settings.dns else "standing-load-balancer",
        "phase": flex.phase,
        "since": seen.history.settled.isoformat(timespec="seconds"),
        "status": flex.status,
        "mode": flex.mode,
        "weights": {"lambda": 100 - flex.weight, "fargate": flex.weight},
        "tasks": {
            "healthy": tasks.healthy, "running": tasks.running, "desired": tasks.desired,
            "min": flex.settings.min_tasks, "max": flex.settings.max_tasks,
        },
        "alarms": {"high": seen.high or None, "low": seen.low or None},
        "transitions": [
            {"at": one.began.isoformat(timespec="seconds"), "phase": one.phase, "weight": one.weight,
             "failed": one.failed}
            for one in seen.history.attempts
        ],
    }  # fmt: skip


@dataclass(slots=True)
class Convergence:
    """One run of the controller.

    Attributes:
        stacks: CloudFormation.
        fronts: what answers the apps.
        telling: takes log lines and metrics.
        now: the clock.
        pipeline: whose apps are moved, by name; empty for those of all pipelines.
    """

    stacks: Stacks
    fronts: Fronts
    telling: Telling
    now: Callable[[], datetime]
    pipeline: str = ""

    def run(self) -> list[Row]:
        """Look at each app and begin what is next for it."""
        rows = [self._act(row) for row in self.look()]
        for row in rows:
            self.telling.log("app", **row.told())
            flexed = row.seen is not None and row.seen.flex.phase != LAMBDA
            failed = row.seen is not None and row.seen.flex.status == "UPDATE_ROLLBACK_COMPLETE"
            self.telling.count("Apps")
            self.telling.count("OnFargate", int(flexed))
            self.telling.count("Failed", int(failed))
            self.telling.count("Stuck", int(row.stuck))
        if not rows:
            self.telling.count("Stuck", 0)
        self.telling.publish()
        return rows

    def look(self) -> list[Row]:
        """Look at each app and decide what is next for it."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return [row for row in threads.map(self._look, self.stacks.names()) if row]

    def _look(self, name: str) -> Row | None:
        """Look at one app; what is wrong with it, or what AWS refuses, must not keep the others waiting."""
        try:
            flex = self.stacks.read(name)
            if flex is None or (self.pipeline and flex.tags.get("auto-lambda:pipeline") != self.pipeline):
                return None
            seen = self._observe(flex)
        except (*_FROM_AWS, BadStack) as error:
            return Row(name, None, Stay(_explain(error)), problem=not _passing(error))
        return Row(name, seen, step(seen, self.now()))

    def _observe(self, flex: Flex) -> Observed:
        high, low = flex.alarms
        history = self.stacks.history(flex, self.now())
        states = self.fronts.alarms(high, low)
        tasks = Tasks() if flex.phase == LAMBDA and not flex.busy else self._tasks(flex)
        asked = flex.phase == BOTH and not flex.busy and (tasks.healthy or 0) >= flex.settings.min_tasks
        # One that stays has had the traffic all the time, and would lead the question to the function.
        trouble = self.fronts.trouble(flex) if asked and flex.settings.dns else ""
        return Observed(flex, history, tasks, states.get(high, ""), states.get(low, ""), asked and not trouble, trouble)

    def _tasks(self, flex: Flex) -> Tasks:
        try:
            return self.fronts.tasks(flex, self.stacks.service(flex))
        except _FROM_AWS as error:
            return Tasks(healthy=None, said=_explain(error))

    def _act(self, row: Row) -> Row:
        if not (isinstance(row.action, Move) and row.seen):
            return row
        move, flex = row.action, row.seen.flex
        try:
            self.stacks.move(flex, move, row.seen.history.settled)
        except Busy:
            return Row(row.name, row.seen, Stay("another update of the stack has just begun"))
        except _FROM_AWS as error:
            self.telling.log("refused", app=str(row.name), phase=move.phase, weight=move.weight, why=_explain(error))
            return Row(row.name, row.seen, Stay(_explain(error)), problem=not _passing(error))
        self.telling.log("moved", app=row.name, phase=move.phase, weight=move.weight, why=move.why)
        self.telling.count("Transitions")
        return row


_AT_ONCE = 8  # apps that are looked at
_FROM_AWS = (BotoCoreError, ClientError)
_LATER = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded",
          "ServerException", "ServiceUnavailable", "InternalFailure",
          "TokenAlreadyExistsException", "OperationInProgressException")  # fmt: skip
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _passing(error: Exception) -> bool:
    return isinstance(error, BotoCoreError) or _code(error) in _LATER


def _explain(error: Exception) -> str:
    if _code(error) in _LATER:
        return f"AWS asks to wait ({_code(error)}); tried again within a minute"
    if _code(error) in _DENIED:
        return f"not granted: {error}"
    return str(error)
