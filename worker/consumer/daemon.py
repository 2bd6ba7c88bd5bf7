"""Receives deliveries, works on them, settles them, and drains. Independent of the kind of queue and of the work.

One thread receives, and only while a slot is free. Each delivery in progress has a thread of its own, and a second one
for its heartbeat. The receiving thread settles what needs no work, and as long as nothing else comes it asks for more
messages at once than there are slots. The main thread waits for the request to stop and then drains.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

import tenacity

from auto_lambda import logs
from auto_lambda.daemon.service import Notifier, Stop
from worker.cancellation import Cancelled, CancelToken
from worker.consumer.backoff import BackOff
from worker.consumer.job import D, Job, MessageSource, MessageVisibility
from worker.consumer.status import WAITING

_log = logs.get("daemon")

BUSY_SECONDS = 3.0
"""Seconds by which a delivery is delayed when its app is being worked on."""
_SHORTEST_BEAT = 1.0
_LONGEST_BEAT = 10.0  # seconds until a build notices that it has lost its lease, or that a newer zip has come
_LONGEST_DELAY = 900.0  # seconds by which SQS can delay a message; what is received too early is delayed again
_TICK = 0.05  # seconds between two checks while draining
_MAX_BATCH = 10
_SETTLE_SECONDS = 5.0  # for a finished delivery to be settled while the rest is handed back


class Busy(Exception):
    """Another worker is working on the same app."""


class PutOff(Exception):
    """AWS throttles the work, which is repeated in ``seconds`` without counting as an attempt."""

    def __init__(self, reason: Exception, seconds: float) -> None:
        super().__init__(str(reason))
        self.seconds = seconds


class Later(Exception):
    """So far the work is done, and goes on in ``seconds`` with whichever worker; nothing has failed."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Timing:
    """The daemon's time limits, in seconds.

    Attributes:
        visibility: how long `MessageSource.extend` hides a delivery.
        receive: the longest time that a receive takes.
        drain: how long running work may continue after the first request to stop.
        ending: how long cancelled work has to end by itself before its delivery is handed back.
        back_off: how long failed work is delayed.
    """

    visibility: float = 120
    receive: float = 30
    drain: float = 90
    ending: float = 3
    back_off: BackOff = field(default_factory=BackOff)

    @property
    def beat(self) -> float:
        """Time between two heartbeats: at most a third of the visibility, so that one may fail; never zero."""
        return max(_SHORTEST_BEAT, min(_LONGEST_BEAT, self.visibility / 3))


@dataclass(frozen=True, slots=True)
class Hooks:
    """Callbacks for changes of the daemon's state.

    Attributes:
        on_cancel: ends the processes that a thread (by its native id) has started, when its work is cancelled.
        on_handover: ends every process that is left when deliveries are handed back at the end.
        on_load: takes the number of deliveries in progress, at each change.
        on_idle: called after a receive that brought nothing while nothing is in progress, before the next receive.
    """

    on_cancel: Callable[[int], object] = lambda _: None
    on_handover: Callable[[], object] = lambda: None
    on_load: Callable[[int], object] = lambda _: None
    on_idle: Callable[[], object] = lambda: None


@dataclass
class _State(Generic[D]):
    """The state that the threads share, under ``changed``'s lock."""

    slots: int
    jobs: dict[str, Job[D]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def free(self) -> int:
        return self.slots - len(self.jobs)


class Daemon(Generic[D]):
    """Works on deliveries until it is asked to stop.

    Args:
        inbox: where deliveries come from.
        work: handles one. Returning means done; after an exception the delivery is given back with a back-off.
        slots: how many are worked on at once.
        deduplicate: returns those of a batch that need no work.
        timing: time limits.
        hooks: called at changes.
        notifier: tells systemd of our state.
        clock: seconds, monotonic.
        sleep: sleeps between failing receives; by default it wakes up when a stop is requested.
    """

    def __init__(
        self,
        inbox: MessageSource[D],
        work: Callable[[D, CancelToken], None],
        *,
        slots: int,
        deduplicate: Callable[[Sequence[D]], Sequence[D]] = lambda _: (),
        timing: Timing | None = None,
        hooks: Hooks | None = None,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._work = work
        self._timing = timing or Timing()
        self._hooks = hooks or Hooks()
        self._notifier = notifier or Notifier({})
        self._clock = clock
        self._sleep = sleep
        self._state: _State[D] = _State(slots)
        self._deduplicate = deduplicate
        self._redundant_in_a_row = 0
        self._is_ready = False

    @property
    def _pulse(self) -> float:
        """The longest time between two signs of life, in seconds."""
        return self._notifier.watchdog_seconds or 60

    def run(self, stop: Stop) -> int:
        """Work until ``stop``; then drain. Returns the number of deliveries that were handed back unfinished.

        Raises:
            RuntimeError: the receiving thread ended by itself, which is a bug of ours: the process must be restarted.
        """
        receiver = threading.Thread(target=self._receive_until, args=(stop,), name="receiver", daemon=True)
        receiver.start()
        while not stop.requested.wait(self._pulse):
            if not receiver.is_alive():
                raise RuntimeError("the receiver has ended by itself")
        return self._drain(stop, receiver)

    def _receive_until(self, stop: Stop) -> None:
        """Receive until ``stop``. Only this loop may feed the watchdog, which watches it."""
        while free := self._free_slots(stop):
            received = self._receive(max(free, min(self._redundant_in_a_row, _MAX_BATCH)), stop)
            self._notify_ready(stop)
            if not received and free == self._state.slots and not stop.requested.is_set():
                self._hooks.on_idle()
            for delivery in self._without_redundant(received, stop):
                if stop.requested.is_set():
                    self._respond(delivery, "handed back", lambda it: self._inbox.nack(it, 0))
                else:
                    self._start(delivery)

    def _free_slots(self, stop: Stop) -> int:
        """Wait until a slot is free; 0 when it is time to stop."""
        with self._state.changed:
            self._notifier.watchdog()
            while not stop.requested.is_set() and self._state.free == 0:
                self._state.changed.wait(self._pulse)
                self._notifier.watchdog()
            return 0 if stop.requested.is_set() else self._state.free

    def _notify_ready(self, stop: Stop) -> None:
        """Tell systemd once, after the first receive that worked: a worker is ready when it can receive."""
        if not self._is_ready and not stop.requested.is_set():
            self._is_ready = True
            self._notifier.ready(WAITING)
            _log.info("ready", slots=self._state.slots)

    def _receive(self, free: int, stop: Stop) -> Sequence[D]:
        attempts = tenacity.Retrying(
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
            stop=tenacity.stop_when_event_set(stop.requested),
            sleep=self._sleep or tenacity.sleep_using_event(stop.requested),
            before_sleep=self._receive_failed,
            retry_error_callback=lambda _: (),
        )
        received: Sequence[D] = attempts(self._inbox.receive, free)
        return received

    def _receive_failed(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("receive failed", attempt=state.attempt_number, error=str(error))
        self._notifier.watchdog()  # a failing queue does not mean that we hang

    def _without_redundant(self, received: Sequence[D], stop: Stop) -> Sequence[D]:
        """Return those that need work. The others are settled here in one call, without a slot."""
        if stop.requested.is_set():
            return received
        try:
            redundant = self._deduplicate(received) if received else ()
        except Exception as error:  # noqa: BLE001 - working on them meets the failure again, and handles it
            _log.warning("deliveries not deduplicated", error=str(error))
            redundant = ()
        ids = {delivery.id for delivery in redundant}
        rest = [delivery for delivery in received if delivery.id not in ids]
        self._redundant_in_a_row = self._redundant_in_a_row + len(redundant) if redundant and not rest else 0
        if redundant:
            self._ack_all(redundant)
        return rest

    def _start(self, delivery: D) -> None:
        job = Job(delivery, self._run, self._hooks.on_cancel, self._timing.beat)
        with self._state.changed:
            others = [other for other in self._state.jobs.values() if _conflicts_with(other.delivery, delivery)]
            full = self._state.free <= 0
            if not others and not full:
                self._state.jobs[delivery.id] = job
                self._hooks.on_load(len(self._state.jobs))
        for other in others:
            other.heartbeat.beat_now()  # this one may supersede it
        if others:
            self._respond(delivery, "app busy", self._requeue)
        elif full:
            self._respond(delivery, "no slot free", lambda it: self._inbox.requeue(it, 0))
        else:
            job.thread.start()

    def _run(self, job: Job[D]) -> None:
        delivery = job.delivery
        visibility = MessageVisibility(self._inbox, delivery, self._timing.visibility, self._clock)
        respond, outcome = self._nack_later(delivery), "given back"
        with logs.bound(message=delivery.id, attempt=delivery.attempts), job.cancel_token.holding(visibility):
            try:
                job.heartbeat.start()
                self._work(delivery, job.cancel_token)
                respond, outcome = self._inbox.ack, "done"
            except Busy as reason:
                _log.info("busy", reason=str(reason))
                respond, outcome = self._requeue, "app busy"
            except Later as reason:
                _log.info("goes on later", reason=str(reason), seconds=round(reason.seconds))
                respond, outcome = self._requeue_in(reason.seconds), "goes on later"
            except PutOff as reason:
                _log.warning("throttled", reason=str(reason), seconds=round(reason.seconds))
                respond, outcome = self._put_off(reason.seconds), "put off"
            except Cancelled as reason:
                _log.info("cancelled", reason=str(reason))
            except Exception:  # noqa: BLE001 - after any failure of ours it is tried again later
                _log.exception("failed on our side")
            finally:
                job.heartbeat.stop()  # before settling: a late beat would overwrite the back-off
                if job.take_over():
                    self._respond(delivery, outcome, respond)
                with self._state.changed:
                    del self._state.jobs[delivery.id]
                    self._hooks.on_load(len(self._state.jobs))
                    self._state.changed.notify_all()

    def _requeue(self, delivery: D) -> None:
        self._inbox.requeue(delivery, BUSY_SECONDS)

    def _requeue_in(self, seconds: float) -> Callable[[D], None]:
        return lambda it: self._inbox.requeue(it, min(seconds, _LONGEST_DELAY))

    def _put_off(self, seconds: float) -> Callable[[D], None]:
        return lambda it: self._inbox.put_off(it, seconds)

    def _nack_later(self, delivery: D) -> Callable[[D], None]:
        delay = self._timing.back_off.delay(delivery.attempts)
        return lambda it: self._inbox.nack(it, delay)

    def _respond(self, delivery: D, outcome: str, respond: Callable[[D], None]) -> None:
        try:
            respond(delivery)
        except Exception as error:  # noqa: BLE001 - it comes back when its visibility ends, so nothing is lost
            _log.warning("message not settled", message=delivery.id, wanted=outcome, error=str(error))
        else:
            _log.info(outcome, message=delivery.id)

    def _ack_all(self, deliveries: Sequence[D]) -> None:
        try:
            self._inbox.ack_all(deliveries)
        except Exception as error:  # noqa: BLE001 - as above
            _log.warning("messages not settled", count=len(deliveries), wanted="done", error=str(error))
        else:
            _log.info("done without work", count=len(deliveries))

    def _drain(self, stop: Stop, receiver: threading.Thread) -> int:
        """Let running work finish within its time and hand back the rest; then wait for the receive in progress."""
        self._notifier.stopping(max(self._timing.drain, self._timing.receive) + self._timing.ending + _SETTLE_SECONDS)
        with self._state.changed:
            _log.info("draining", running=len(self._state.jobs), seconds=self._timing.drain)
            self._state.changed.notify_all()
        began = self._clock()
        self._wait_while(lambda: receiver.is_alive() or bool(self._state.jobs), began + self._timing.drain, stop)
        handed_back = self._hand_back(stop)
        self._wait_while(receiver.is_alive, began + max(self._timing.drain, self._timing.receive), stop)
        _log.info("drained", handed_back=handed_back)
        return handed_back

    def _wait_while(self, busy: Callable[[], bool], deadline: float, stop: Stop) -> None:
        while busy() and self._clock() < deadline and not stop.at_once.wait(_TICK):
            self._notifier.watchdog()

    def _hand_back(self, stop: Stop) -> int:
        """Cancel what is left. Its leases are released before its messages become visible to other workers."""
        with self._state.changed:
            left, settling = _partition(list(self._state.jobs.values()))
        for job in left:
            job.cancel_token.cancel("the worker is stopping")
        if left:
            self._hooks.on_handover()
        deadline = self._clock() + (0 if stop.at_once.is_set() else self._timing.ending)
        self._wait_while(lambda: any(job.thread.is_alive() for job in left), deadline, stop)
        for job in left:
            job.heartbeat.stop()
            job.cancel_token.release()
            self._respond(job.delivery, "handed back", lambda it: self._inbox.nack(it, 0))
        for job in settling:
            job.thread.join(_SETTLE_SECONDS)
        return len(left)


def _conflicts_with(one: D, other: D) -> bool:
    return one.id == other.id or bool(one.lock_keys & other.lock_keys)


def _partition(jobs: list[Job[D]]) -> tuple[list[Job[D]], list[Job[D]]]:
    """Split jobs into those that the caller must settle, and those that their own threads are settling."""
    left = [job for job in jobs if job.take_over()]
    return left, [job for job in jobs if job not in left]
