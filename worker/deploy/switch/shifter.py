"""Shifts traffic by the weights of aliases, one look at a time.

No worker waits for the next look: `ShiftGoesOn` ends the work on the upload for now, and whoever gets its message when
it is due goes on from what the journal has. Each look first sets the weights that are noted, so that a worker that was
killed between noting and setting them leaves nothing undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from auto_lambda.aws.cloudwatch import Alarms, FunctionMetrics
from auto_lambda.aws.lambda_ import Functions, State
from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from builder.protocol.traffic import TrafficMessage
from worker.bundle.pointers import ALIAS
from worker.deploy.context import DeployContext
from worker.deploy.switch.switchover import ExpandedStack
from worker.traffic.shift import Moved, Shift, ShiftGoesOn
from worker.traffic.step import NO_CALLS, GoBack, Observed, Promote, Wait, Weigh, look_seconds, step

_SAME = ("Role", "DeadLetterConfig")
"""What Lambda wants to be the same for both versions of a weighted alias."""


class TrafficShifter:
    """Shifts traffic.

    Args:
        functions: Lambda.
        metrics: gives Lambda's metrics, when they are needed.
        alarms: gives CloudWatch's alarms, when they are needed.
        now: the time, in UTC.
    """

    def __init__(
        self,
        functions: Functions,
        metrics: Callable[[], FunctionMetrics],
        alarms: Callable[[], Alarms],
        now: Callable[[], datetime],
    ) -> None:
        self._functions = functions
        self._metrics = metrics
        self._alarms = alarms
        self._now = now

    def begin(
        self, plan: TrafficMessage, found: ExpandedStack, versions: Mapping[str, str], context: DeployContext
    ) -> None:
        """Begin to shift traffic to versions that have answered. Returns if it has to move at once.

        Args:
            plan: how.
            found: the stack with everything that the versions need.
            versions: by logical id of their function.
            context: takes progress, and where the shift is.

        Raises:
            ShiftGoesOn: it has begun.
            AppError: ``traffic-went-back``, because an alarm rings.
        """
        moved = tuple(
            Moved(found.functions[name], alias.version, versions[name])
            for name, alias in found.live.items()
            if alias.version != versions[name]
        )
        if moved and self._can_share(moved, context):
            self.go_on(plan, Shift.starts(moved, self._now()), context)

    def _can_share(self, moved: tuple[Moved, ...], context: DeployContext) -> bool:
        """Tell whether the versions of some functions can share their alias; warn if they cannot."""
        for one in moved:
            live, new = (self._functions.state(f"{one.function}:{version}") for version in (one.live, one.new))
            if different := _differ(live, new):
                context.warn(
                    f"the {different} of {one.function} has changed, and Lambda shares no calls between versions that "
                    "differ in that: the new version gets all of them at once"
                )
                return False
        return True

    def go_on(self, plan: TrafficMessage, shift: Shift, context: DeployContext) -> None:
        """Look once, and do what is due. Returns when the new versions may have all calls.

        Raises:
            ShiftGoesOn: not yet.
            AppError: ``traffic-went-back``; the live versions have all calls again.
        """
        if shift.over:
            return
        self._weigh(shift)
        match step(plan, self._observed(plan, shift)):
            case Wait(seconds):
                raise ShiftGoesOn(seconds, shift.weight)
            case Weigh(percent):
                grown = shift.grown(percent, self._now())
                self._note(grown, context)
                context.log(f"the new version gets {percent} % of the calls")
                raise ShiftGoesOn(look_seconds(plan), percent)
            case Promote():
                self._note(shift.grown(100, self._now()), context)
                context.log("the new version has done well: it gets all calls")
            case GoBack(reason):
                self._back(shift, reason, context)

    def end(self, shift: Shift, log: BuildLog) -> None:
        """Give all calls to the versions that were live, if they are still shared."""
        for one in shift.moved:
            alias = self._functions.alias(one.function, ALIAS)
            if alias and alias.weighted and alias.version == one.live:
                log(f"version {one.new} of {one.function} gets no calls any more, before it got all")
                self._functions.point(one.function, ALIAS, one.live)

    def _note(self, shift: Shift, context: DeployContext) -> None:
        context.note_shift(shift)
        with context.effect("traffic"):
            self._weigh(shift)

    def _weigh(self, shift: Shift) -> None:
        """Set the weights; nothing before the first step, and nothing after the last, which is the switch itself."""
        if 0 < shift.weight < 100:
            for one in shift.moved:
                self._functions.share(one.function, ALIAS, one.live, one.new, shift.weight / 100)

    def _back(self, shift: Shift, reason: str, context: DeployContext) -> None:
        context.note_shift(shift.grown(0, self._now()))
        with context.effect("traffic"):
            for one in shift.moved:
                self._functions.point(one.function, ALIAS, one.live)
            raise AppError(
                Code.TRAFFIC_WENT_BACK,
                f"With {shift.weight} % of the calls, {reason}. The version that was live has all of them again.",
                hint="`auto-lambda logs NAME --runtime` shows what the function logged meanwhile; [traffic] in "
                "auto-lambda.toml says what is allowed.",
            )

    def _observed(self, plan: TrafficMessage, shift: Shift) -> Observed:
        names = [arn.partition(":alarm:")[2] for arn in plan.alarms]
        elapsed = (self._now() - shift.since).total_seconds()
        ringing = tuple(self._alarms().ringing(names)) if names else ()
        if not shift.weight:
            return Observed(0, elapsed, ringing=ringing)
        new = live = NO_CALLS
        for one in shift.moved:
            told = self._metrics().calls(one.function, ALIAS, (one.new, one.live), shift.began)
            new, live = new + told[0], live + told[1]
        return Observed(shift.weight, elapsed, new, live, ringing)


def _differ(live: State | None, new: State | None) -> str | None:
    """Name a setting that differs between two versions and must not; None if there is none."""
    if live is None or new is None:
        return "existence"
    return next((name for name in _SAME if live.settings.get(name) != new.settings.get(name)), None)
