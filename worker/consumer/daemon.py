"""Receive, work, settle, drain. Knows neither the queue's maker nor what the work is.

One thread receives, and only while a slot is free; each delivery in work has a thread of its own, and a second one that
keeps it hidden from others. What needs no work is settled by the receiving thread, and as long as nothing else comes
it asks for more at once than there are slots. The main thread waits for the wish to stop and then drains.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

import tenacity

from auto_lambda import logs
from auto_lambda.service import Notifier, Stop
from worker.cancellation import Cancel, Cancelled
from worker.consumer.backoff import BackOff
from worker.consumer.job import D, Hidden, Inbox, Job
from worker.consumer.status import WAITING

_log = logs.get("daemon")

BUSY_SECONDS = 3.0
"""How long a delivery waits whose app is being worked on."""
_SHORTEST_BEAT = 1.0
_LONGEST_BEAT = 10.0  # seconds; so soon a build hears that it has lost its lease, or that a newer zip has come
_TICK = 0.05  # seconds between two looks while draining
_MOST_AT_ONCE = 10
_SETTLING = 5.0  # seconds that a finished delivery has left to be settled when all else is handed back


class Busy(Exception):
    """Somebody else is at work on the same app."""


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds.

    Attributes:
        visibility: how long `Inbox.keep` keeps.
        receive: how long a receive takes at the most.
        drain: how long running work may go on after the first wish to stop.
        ending: how long cancelled work has to end by itself before its delivery is handed back.
        back_off: how long failed work is left alone.
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


@dataclass
class _State(Generic[D]):
    """What the threads share, under ``changed``'s lock."""

    slots: int
    jobs: dict[str, Job[D]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def free(self) -> int:
        return self.slots - len(self.jobs)


class Daemon(Generic[D]):
    """Works on deliveries until it is asked to stop.

    Args:
        inbox: where they come from.
        work: does one; returning means done, raising means that it is to be given back with a back-off.
        slots: how many are worked on at once.
        sift: names those of a batch that need no work.
        timing: see there.
        abandon: ends every process that work has left running, when we leave.
        end: ends the processes that one thread has started, when its work is cancelled.
        load: told how many deliveries are in work, at each change.
        nothing_came: called after a receive that brought nothing while nothing is in work, before the next one.
        notifier: is told of our state.
        clock: seconds, monotonic.
        nap: sleeps between failing receives; by default it wakes up when the stop is requested.
    """

    def __init__(
        self,
        inbox: Inbox[D],
        work: Callable[[D, Cancel], None],
        *,
        slots: int,
        sift: Callable[[Sequence[D]], Sequence[D]] = lambda _: (),
        timing: Timing | None = None,
        abandon: Callable[[], object] = lambda: None,
        end: Callable[[int], object] = lambda _: None,
        load: Callable[[int], object] = lambda _: None,
        nothing_came: Callable[[], object] = lambda: None,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
        nap: Callable[[float], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._work = work
        self._timing = timing or Timing()
        self._abandon = abandon
        self._end = end
        self._load = load
        self._nothing_came = nothing_came
        self._notifier = notifier or Notifier({})
        self._clock = clock
        self._nap = nap
        self._state: _State[D] = _State(slots)
        self._sift = sift
        self._easy = 0  # so many in a row needed no work
        self._is_ready = False

    @property
    def _pulse(self) -> float:
        """Seconds between two signs of life, at least."""
        return self._notifier.watchdog_seconds or 60

    def run(self, stop: Stop) -> int:
        """Work until ``stop``; then drain. The number of deliveries that were handed back unfinished is returned.

        Raises:
            RuntimeError: receiving ended by itself, which is a bug of ours: the process must be started anew.
        """
        receiver = threading.Thread(target=self._receive_until, args=(stop,), name="receiver", daemon=True)
        receiver.start()
        while not stop.requested.wait(self._pulse):
            if not receiver.is_alive():
                raise RuntimeError("the receiver has ended by itself")
        return self._drain(stop, receiver)

    def _receive_until(self, stop: Stop) -> None:
        """The loop that the watchdog watches, so that nobody else may feed it."""
        while free := self._free_slots(stop):
            received = self._receive(max(free, min(self._easy, _MOST_AT_ONCE)), stop)
            self._say_ready(stop)
            if not received and free == self._state.slots and not stop.requested.is_set():
                self._nothing_came()
            for delivery in self._sifted(received, stop):
                if stop.requested.is_set():
                    self._settle(delivery, "handed back", lambda it: self._inbox.give_back(it, 0))
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

    def _say_ready(self, stop: Stop) -> None:
        """Once, after the first receive that worked: that we can receive is what makes us a worker."""
        if not self._is_ready and not stop.requested.is_set():
            self._is_ready = True
            self._notifier.ready(WAITING)
            _log.info("ready", slots=self._state.slots)

    def _receive(self, free: int, stop: Stop) -> Sequence[D]:
        attempts = tenacity.Retrying(
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
            stop=tenacity.stop_when_event_set(stop.requested),
            sleep=self._nap or tenacity.sleep_using_event(stop.requested),
            before_sleep=self._receive_failed,
            retry_error_callback=lambda _: (),
        )
        received: Sequence[D] = attempts(self._inbox.receive, free)
        return received

    def _receive_failed(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("receive failed", attempt=state.attempt_number, error=str(error))
        self._notifier.watchdog()  # it is no less alive for that

    def _sifted(self, received: Sequence[D], stop: Stop) -> Sequence[D]:
        """Those that need work. The others are settled here, without a slot: as many at once as came at once."""
        if stop.requested.is_set():
            return received
        try:
            easy = self._sift(received) if received else ()
        except Exception as error:  # noqa: BLE001 - whoever works on them meets it again, and knows what to do
            _log.warning("deliveries not sifted", error=str(error))
            easy = ()
        ids = {delivery.id for delivery in easy}
        rest = [delivery for delivery in received if delivery.id not in ids]
        self._easy = self._easy + len(easy) if easy and not rest else 0
        if easy:
            self._settle_all(easy)
        return rest

    def _start(self, delivery: D) -> None:
        job = Job(delivery, self._run, self._end, self._timing.beat)
        with self._state.changed:
            others = [other for other in self._state.jobs.values() if _meet(other.delivery, delivery)]
            full = self._state.free <= 0
            if not others and not full:
                self._state.jobs[delivery.id] = job
                self._load(len(self._state.jobs))
        for other in others:
            other.heart.soon()  # it may be superseded by this one
        if others:
            self._settle(delivery, "app busy", self._put_off)
        elif full:
            self._settle(delivery, "no slot free", lambda it: self._inbox.put_off(it, 0))
        else:
            job.thread.start()

    def _run(self, job: Job[D]) -> None:
        delivery = job.delivery
        hidden = Hidden(self._inbox, delivery, self._timing.visibility, self._clock)
        settle, outcome = self._back_off(delivery), "given back"
        with logs.bound(message=delivery.id, attempt=delivery.attempts), job.cancel.holding(hidden):
            try:
                job.heart.start()
                self._work(delivery, job.cancel)
                settle, outcome = self._inbox.done, "done"
            except Busy as reason:
                _log.info("busy", reason=str(reason))
                settle, outcome = self._put_off, "app busy"
            except Cancelled as reason:
                _log.info("cancelled", reason=str(reason))
            except Exception:  # noqa: BLE001 - any failure of ours means: again, later
                _log.exception("failed on our side")
            finally:
                job.heart.stop()  # before settling: a late beat would overwrite the back-off
                if job.take():
                    self._settle(delivery, outcome, settle)
                with self._state.changed:
                    del self._state.jobs[delivery.id]
                    self._load(len(self._state.jobs))
                    self._state.changed.notify_all()

    def _put_off(self, delivery: D) -> None:
        self._inbox.put_off(delivery, BUSY_SECONDS)

    def _back_off(self, delivery: D) -> Callable[[D], None]:
        delay = self._timing.back_off.delay(delivery.attempts)
        return lambda it: self._inbox.give_back(it, delay)

    def _settle(self, delivery: D, outcome: str, settle: Callable[[D], None]) -> None:
        try:
            settle(delivery)
        except Exception as error:  # noqa: BLE001 - it comes back when its visibility ends, and nothing is lost
            _log.warning("message not settled", message=delivery.id, wanted=outcome, error=str(error))
        else:
            _log.info(outcome, message=delivery.id)

    def _settle_all(self, deliveries: Sequence[D]) -> None:
        try:
            self._inbox.done_all(deliveries)
        except Exception as error:  # noqa: BLE001 - as above
            _log.warning("messages not settled", count=len(deliveries), wanted="done", error=str(error))
        else:
            _log.info("done without work", count=len(deliveries))

    def _drain(self, stop: Stop, receiver: threading.Thread) -> int:
        """Let running work finish within the budget and hand the rest back; then wait for the receive in flight."""
        self._notifier.stopping(max(self._timing.drain, self._timing.receive) + self._timing.ending + _SETTLING)
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
        """Cancel what is left. Its leases are given up before its messages are shown to others."""
        with self._state.changed:
            left, settling = _partition(list(self._state.jobs.values()))
        for job in left:
            job.cancel.cancel("the worker leaves")
        if left:
            self._abandon()
        deadline = self._clock() + (0 if stop.at_once.is_set() else self._timing.ending)
        self._wait_while(lambda: any(job.thread.is_alive() for job in left), deadline, stop)
        for job in left:
            job.heart.stop()
            job.cancel.let_go()
            self._settle(job.delivery, "handed back", lambda it: self._inbox.give_back(it, 0))
        for job in settling:
            job.thread.join(_SETTLING)
        return len(left)


def _meet(one: D, other: D) -> bool:
    return one.id == other.id or bool(one.lanes & other.lanes)


def _partition(jobs: list[Job[D]]) -> tuple[list[Job[D]], list[Job[D]]]:
    """Those that the caller is to settle now, and those that their own threads are settling."""
    left = [job for job in jobs if job.take()]
    return left, [job for job in jobs if job not in left]
