"""The worker group: its instances, their lifecycle states and transitions.

States and transitions are those of https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from auto_lambda_cli.local_stack.fleet.rules import Rules
from auto_lambda_cli.local_stack.fleet.scaling import Size

STOPPING = 10.0
"""Seconds that a worker has to stop when its instance is shut down; with a hook it was asked before."""
FAILURES = 3
"""Instances in a row that fail before they are in service, until the fleet gives up."""
Say = Callable[[str], None]


class ValidationFailed(Exception):
    """Auto Scaling's `ValidationError`, with its message."""


class Hopeless(Exception):
    """One instance after the other fails; the message shows why."""


class Host(Protocol):
    """A host with a worker. Main thread only."""

    def boot(self) -> None: ...  # noqa: D102
    def is_ready(self) -> bool: ...  # noqa: D102
    def ended(self) -> int | None: ...  # noqa: D102
    def last_words(self) -> str: ...  # noqa: D102
    def ask_to_stop(self) -> None: ...  # noqa: D102
    def end(self) -> None: ...  # noqa: D102


@dataclass
class Instance:
    """An instance of the group. Times are those of the group's clock, in seconds."""

    id: str
    ordered: float
    host: Host | None = None
    state: str = "Pending"
    booted: bool = False
    in_service: float = float("inf")
    protected: bool = False
    until: float = float("inf")
    why: str = ""

    @property
    def target(self) -> str:
        """The value of ``autoscaling/target-lifecycle-state`` in the instance metadata."""
        return "Terminated" if self.going else "InService"

    @property
    def going(self) -> bool:
        """Tell whether it is terminating, and no capacity."""
        return self.state.startswith("Terminating")


@dataclass
class LocalGroup:
    """The group. `tick` is for the main thread only, everything else for any thread.

    Attributes:
        rules: its size limits, warm-up and hook.
        host: makes a host for an instance.
        boot: seconds from the launch of an instance until its worker starts.
        say: prints each change.
        clock: seconds, monotonic.
        desired: the desired capacity.
    """

    rules: Rules
    host: Callable[[Instance], Host]
    boot: float
    say: Say
    clock: Callable[[], float] = time.monotonic
    desired: int = field(init=False)
    _machines: list[Instance] = field(default_factory=list, init=False)
    _failures: int = field(default=0, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    def __post_init__(self) -> None:
        self.desired = self.rules.smallest

    def machines(self) -> Sequence[Instance]:
        """Return the instances, the oldest first."""
        with self._lock:
            return list(self._machines)

    def size(self) -> Size:
        """Return the group's size, for the policies."""
        with self._lock:
            staying = self._staying()
            warm = sum(1 for one in staying if self.clock() - one.in_service >= self.rules.warmup)
            return Size(self.desired, warm, growing=warm < len(staying) or len(staying) < self.desired)

    def set_desired(self, count: int, why: str) -> None:
        """Set the desired capacity, within the group's limits."""
        with self._lock:
            wanted = min(max(count, self.rules.smallest), self.rules.largest)
            if wanted != self.desired:
                asked = f" ({count} asked for)" if wanted != count else ""
                self.say(f"desired {self.desired} -> {wanted}{asked}: {why}")
                self.desired = wanted

    def protect(self, instances: Sequence[str], wanted: bool) -> None:
        """Protect instances from scale-in, or stop protecting them; raises `ValidationFailed`."""
        with self._lock:
            for one in [self._find(instance) for instance in instances]:
                if one.state != "InService":
                    raise ValidationFailed(f"The instance {one.id} is not in InService or EnteringStandby or Standby.")
                one.protected = wanted

    def terminate(self, instance: str, *, decrement: bool) -> None:
        """Terminate an instance, protected or not; with ``decrement`` it is not replaced. Raises `ValidationFailed`."""
        with self._lock:
            one = self._find(instance)
            if one.going:
                raise ValidationFailed(f"The instance {instance} is being terminated already.")
            if decrement and self.desired <= self.rules.smallest:
                raise ValidationFailed(
                    f"Currently, desiredSize equals minSize ({self.rules.smallest}). Terminating instance without "
                    "replacement will violate group's min size constraint."
                )
            if decrement:
                self.say(f"desired {self.desired} -> {self.desired - 1}: {instance} asked to go")
                self.desired -= 1
            self._let_go(one, "it asked to go")

    def heartbeat(self, instance: str, hook: str) -> None:
        """Extend the wait for an instance; raises `ValidationFailed`."""
        with self._lock:
            one, seconds = self._waiting(instance, hook)
            one.until = self.clock() + seconds

    def complete(self, instance: str, hook: str) -> None:
        """End the wait for an instance; raises `ValidationFailed`."""
        with self._lock:
            one, _ = self._waiting(instance, hook)
            self.say(f"{instance} is ready to go")
            one.until = self.clock()

    def tick(self) -> None:
        """Launch, advance and terminate instances, as far as it is time.

        Raises:
            Hopeless: one instance after the other fails.
        """
        with self._lock:
            while len(self._staying()) < self.desired:
                self._order()
            self._scale_in()
            for one in list(self._machines):
                self._move_on(one)

    def end(self) -> None:
        """Stop all instances at once."""
        with self._lock:
            for one in self._machines:
                if one.host:
                    one.host.ask_to_stop()
            for one in self._machines:
                if one.host:
                    one.host.end()
            self._machines.clear()

    def _staying(self) -> list[Instance]:
        return [one for one in self._machines if not one.going]

    def _find(self, instance: str) -> Instance:
        for one in self._machines:
            if one.id == instance:
                return one
        raise ValidationFailed(f"Instance Id not found - No managed instance found for instance ID: {instance}")

    def _waiting(self, instance: str, hook: str) -> tuple[Instance, float]:
        one = self._find(instance)
        if one.state != "Terminating:Wait" or not self.rules.hook or hook != self.rules.hook[0]:
            raise ValidationFailed(f"No active Lifecycle Action found with instance ID {instance}")
        return one, self.rules.hook[1]

    def _order(self) -> None:
        one = Instance(f"i-{secrets.token_hex(8)}0", self.clock())
        one.host = self.host(one)
        self._machines.append(one)
        self.say(f"{one.id} launched, boots for {self.boot:g} s")

    def _scale_in(self) -> None:
        """Choose the oldest first, but no protected one: it goes once its protection ends."""
        while len(self._staying()) > self.desired:
            loose = [one for one in self._staying() if not one.protected]
            if not loose:
                return
            self._let_go(loose[0], "scale-in")

    def _let_go(self, one: Instance, why: str) -> None:
        one.why = why
        if one.state == "InService" and self.rules.hook:
            one.state, one.until = "Terminating:Wait", self.clock() + self.rules.hook[1]
            self.say(f"{one.id} Terminating:Wait: {why}")
        else:
            self._shut_down(one)

    def _shut_down(self, one: Instance) -> None:
        one.state, one.until = "Terminating:Proceed", self.clock() + STOPPING
        if one.host:
            one.host.ask_to_stop()

    def _move_on(self, one: Instance) -> None:
        assert one.host  # noqa: S101 - for the type checker: every order has one
        if one.state == "Pending":
            self._bring_up(one, one.host)
        elif one.state == "InService" and (code := one.host.ended()) is not None:
            self.say(f"{one.id} is replaced: its worker exited with {code}\n{one.host.last_words()}")
            self._remove(one, one.host)
        elif one.state == "Terminating:Wait" and self.clock() >= one.until:
            self._shut_down(one)
        elif one.state == "Terminating:Proceed":
            self._take_down(one, one.host)

    def _bring_up(self, one: Instance, host: Host) -> None:
        if not one.booted and self.clock() - one.ordered >= self.boot:
            one.booted = True
            host.boot()
        elif one.booted and host.is_ready():
            one.state, one.in_service = "InService", self.clock()
            self._failures = 0
            self.say(f"{one.id} InService")
        elif one.booted and (code := host.ended()) is not None:
            self._failures += 1
            what = f"{one.id} never came into service: its worker exited with {code}\n{host.last_words()}"
            if self._failures >= FAILURES:
                raise Hopeless(what)
            self.say(what)
            self._remove(one, host)

    def _take_down(self, one: Instance, host: Host) -> None:
        if not one.booted or host.ended() is not None:
            self.say(f"{one.id} gone: {one.why}")
            self._remove(one, host)
        elif self.clock() >= one.until:
            self.say(f"{one.id} gone: {one.why}; its worker was still running and was killed")
            self._remove(one, host)

    def _remove(self, one: Instance, host: Host) -> None:
        host.end()
        self._machines.remove(one)
