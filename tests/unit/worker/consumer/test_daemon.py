"""The daemon against an inbox that misbehaves in every way that is known of queues."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.daemon.service import Notifier, Stop
from worker.cancellation import Cancelled, CancelToken
from worker.consumer.daemon import BUSY_SECONDS, Busy, Daemon, Hooks, Later, PutOff, Timing

PATIENCE = 10.0
QUICK = Timing(visibility=120, receive=PATIENCE, drain=PATIENCE, ending=0)


@dataclass(frozen=True)
class Parcel:
    id: str
    attempts: int = 1
    lock_keys: frozenset[str] = frozenset()


@dataclass
class FakeInbox:
    """Hands out what is put in; keeps a diary of what was done with each parcel."""

    batches: list[Sequence[Parcel] | Exception] = field(default_factory=list)
    diary: list[tuple[str, str]] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    receiving: threading.Event = field(default_factory=threading.Event)
    blocked: threading.Event | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)
    extend_fails: bool = False

    def receive(self, at_most: int) -> Sequence[Parcel]:
        self.asked.append(at_most)
        self.receiving.set()
        if self.blocked:
            assert self.blocked.wait(PATIENCE)
        if not self.batches:
            time.sleep(0.005)  # a long poll that finds nothing
            return ()
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch

    def extend(self, parcel: Parcel) -> None:
        self._note("extended", parcel)
        if self.extend_fails:
            raise OSError("throttled")

    def ack(self, parcel: Parcel) -> None:
        self._note("done", parcel)

    def ack_all(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            self._note("done without work", parcel)

    def nack(self, parcel: Parcel, delay: float) -> None:
        self.delays[parcel.id] = delay
        self._note("given back", parcel)

    def requeue(self, parcel: Parcel, delay: float) -> None:
        self.delays[parcel.id] = delay
        self._note("requeued", parcel)

    def put_off(self, parcel: Parcel, delay: float) -> None:
        self.delays[parcel.id] = delay
        self._note("put off", parcel)

    def fates(self, parcel: str) -> list[str]:
        return [what for what, which in self.diary if which == parcel and what != "extended"]

    def await_fate(self, parcel: str, fate: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: fate in self.fates(parcel), PATIENCE), self.diary

    def _note(self, what: str, parcel: Parcel) -> None:
        with self.changed:
            self.diary.append((what, parcel.id))
            self.changed.notify_all()


@dataclass
class Running:
    stop: Stop
    thread: threading.Thread
    result: list[int | BaseException]

    def end(self) -> int:
        self.stop.requested.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        (result,) = self.result
        assert isinstance(result, int), result
        return result


@contextmanager
def running(daemon: Daemon[Parcel]) -> Iterator[Running]:
    stop = Stop()
    result: list[int | BaseException] = []

    def run() -> None:
        try:
            result.append(daemon.run(stop))
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Running(stop, thread, result)
    finally:
        stop.requested.set()
        stop.at_once.set()
        thread.join(PATIENCE)


def join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(PATIENCE)


def nothing(parcel: Parcel, token: CancelToken) -> None:
    """Work that succeeds."""


class Gate:
    """Work that lasts until the gate opens."""

    def __init__(self) -> None:
        self.started: dict[str, threading.Event] = {}
        self.open = threading.Event()
        self.tokens: list[CancelToken] = []

    def __call__(self, parcel: Parcel, token: CancelToken) -> None:
        self.tokens.append(token)
        self.entered(parcel.id).set()
        assert self.open.wait(PATIENCE)

    def entered(self, parcel: str) -> threading.Event:
        return self.started.setdefault(parcel, threading.Event())

    def await_start(self, parcel: str) -> None:
        assert self.entered(parcel).wait(PATIENCE)


def make(inbox: FakeInbox, work: Callable[[Parcel, CancelToken], None] = nothing, **more: object) -> Daemon[Parcel]:
    return Daemon(inbox, work, **{"slots": 2, "timing": QUICK, **more})  # type: ignore[arg-type]


def test_work_that_succeeds_is_done_once() -> None:
    inbox = FakeInbox([[Parcel("a")], [Parcel("b")]])
    with running(make(inbox)) as run:
        inbox.await_fate("a", "done")
        inbox.await_fate("b", "done")
        assert run.end() == 0
    assert inbox.fates("a") == ["done"]
    assert inbox.fates("b") == ["done"]


def test_work_that_fails_is_given_back_with_a_back_off() -> None:
    def fail(parcel: Parcel, token: CancelToken) -> None:
        raise OSError("the index is away")

    inbox = FakeInbox([[Parcel("a", attempts=3)]])
    with running(make(inbox, fail)) as run:
        inbox.await_fate("a", "given back")
        run.end()
    assert inbox.fates("a") == ["given back"]
    assert 1 <= inbox.delays["a"] <= 120


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_exits_is_given_back_and_frees_its_slot() -> None:
    def leave(parcel: Parcel, token: CancelToken) -> None:
        if parcel.id == "a":
            raise SystemExit(1)

    inbox = FakeInbox([[Parcel("a")], [Parcel("b")]])
    with running(make(inbox, leave, slots=1)) as run:
        inbox.await_fate("b", "done")
        run.end()
    assert inbox.fates("a") == ["given back"]
    join("slot")  # pytest must hear of its exception within this test


def test_nothing_is_received_while_no_slot_is_free() -> None:
    gate = Gate()
    inbox = FakeInbox([[Parcel("a")], [Parcel("b")]])
    with running(make(inbox, gate, slots=2)) as run:
        gate.await_start("b")
        assert inbox.asked[0] == 2
        asked = len(inbox.asked)
        gate.open.wait(0.05)
        assert len(inbox.asked) == asked
        gate.open.set()
        run.end()


def test_a_receive_that_brings_nothing_is_told_of_only_while_nothing_is_in_work() -> None:
    inbox, gate, told = FakeInbox([[], [Parcel("a")], [], []]), Gate(), []
    quiet = threading.Event()

    def on_idle() -> None:
        told.append(len(gate.tokens))
        if gate.tokens:
            quiet.set()

    with running(make(inbox, gate, hooks=Hooks(on_idle=on_idle))) as run:
        gate.await_start("a")
        until = len(inbox.asked) + 3
        while len(inbox.asked) < until:
            time.sleep(0.001)
        assert told == [0]
        gate.open.set()
        assert quiet.wait(PATIENCE)
        run.end()
    assert set(told) == {0, 1}


def test_failing_receives_are_survived_with_growing_naps() -> None:
    naps: list[float] = []
    inbox = FakeInbox([OSError("no route"), RuntimeError("throttled"), ValueError("nonsense"), [Parcel("a")]])
    with running(make(inbox, sleep=naps.append)) as run:
        inbox.await_fate("a", "done")
        run.end()
    assert len(naps) == 3
    assert all(nap <= bound for nap, bound in zip(naps, (0.5, 1.0, 2.0), strict=True))


def test_stop_interrupts_the_nap_between_failing_receives() -> None:
    inbox = FakeInbox([OSError("down")] * 10_000)
    with running(make(inbox)) as run:
        assert inbox.receiving.wait(PATIENCE)
        assert run.end() == 0


def test_a_delivery_of_a_busy_app_is_requeued_without_counting_as_an_attempt() -> None:
    gate = Gate()
    lane = frozenset({"dev/shop"})
    inbox = FakeInbox([[Parcel("a", lock_keys=lane)], [Parcel("b", lock_keys=lane)]])
    with running(make(inbox, gate)) as run:
        inbox.await_fate("b", "requeued")
        gate.open.set()
        run.end()
    assert inbox.delays["b"] == BUSY_SECONDS
    assert inbox.fates("a") == ["done"]
    assert inbox.fates("b") == ["requeued"]


def test_the_same_message_received_twice_is_not_worked_on_twice_at_once() -> None:
    gate = Gate()
    inbox = FakeInbox([[Parcel("a")], [Parcel("a")]])
    with running(make(inbox, gate)) as run:
        inbox.await_fate("a", "requeued")
        gate.open.set()
        run.end()
    assert len(gate.tokens) == 1


def test_known_bug_1_a_receive_in_flight_at_sigterm_hands_its_messages_back() -> None:
    inbox = FakeInbox([[Parcel("a"), Parcel("b")]], blocked=threading.Event())
    with running(make(inbox)) as run:
        assert inbox.receiving.wait(PATIENCE)
        run.stop.request()
        assert inbox.blocked
        inbox.blocked.set()
        assert run.end() == 0
    assert inbox.fates("a") == inbox.fates("b") == ["given back"]
    assert inbox.delays == {"a": 0, "b": 0}


def test_known_bug_1_holds_without_any_drain_budget() -> None:
    inbox = FakeInbox([[Parcel("a")]], blocked=threading.Event())
    with running(make(inbox, timing=Timing(drain=0, receive=PATIENCE))) as run:
        assert inbox.receiving.wait(PATIENCE)
        run.stop.request()
        time.sleep(0.1)
        assert inbox.blocked
        inbox.blocked.set()
        run.end()
    assert inbox.fates("a") == ["given back"]


def test_known_bug_2_shutdown_neither_duplicates_nor_restores_finished_work() -> None:
    gate = Gate()
    inbox = FakeInbox([[Parcel("a")]])
    with running(make(inbox, gate)) as run:
        gate.await_start("a")
        run.stop.request()
        gate.open.set()
        assert run.end() == 0
    assert inbox.fates("a") == ["done"]


def test_known_bug_2_what_does_not_fit_the_drain_is_handed_back_once_and_never_done() -> None:
    gate, handed_over = Gate(), []
    inbox = FakeInbox([[Parcel("a")]])
    daemon = make(
        inbox, gate, timing=Timing(drain=0, ending=0), hooks=Hooks(on_handover=lambda: handed_over.append(True))
    )
    with running(daemon) as run:
        gate.await_start("a")
        assert run.end() == 1
        gate.open.set()
        with pytest.raises(Cancelled):
            gate.tokens[0].check()
    time.sleep(0.05)
    assert inbox.fates("a") == ["given back"]
    assert inbox.delays["a"] == 0
    assert handed_over == [True]


class FakeLease:
    """Notes in the inbox's diary when it is released."""

    def __init__(self, inbox: FakeInbox, parcel: Parcel) -> None:
        self._inbox = inbox
        self._parcel = parcel

    def renew(self) -> None:
        """It lasts."""

    def check(self) -> None:
        """It is ours."""

    def release(self) -> None:
        self._inbox._note("lease released", self._parcel)


@pytest.mark.parametrize("at_once", [False, True])
def test_the_lease_is_given_up_before_the_message_is_handed_back(at_once: bool) -> None:
    """Whoever gets the message next must find the app free, or it would have to wait for the lease to run out."""
    inbox, gate = FakeInbox([[Parcel("a"), Parcel("b")]]), Gate()

    def work(parcel: Parcel, token: CancelToken) -> None:
        with token.holding(FakeLease(inbox, parcel)):
            gate(parcel, token)

    with running(make(inbox, work, timing=replace(QUICK, drain=60 if at_once else 0))) as run:
        gate.await_start("a")
        gate.await_start("b")
        if at_once:
            run.stop.at_once.set()
        assert run.end() == 2
        for parcel in ("a", "b"):
            assert inbox.fates(parcel) == ["lease released", "given back"]
            assert inbox.delays[parcel] == 0
        gate.open.set()


def test_known_bug_3_no_heartbeat_after_the_message_is_settled() -> None:
    beating = threading.Event()

    class SlowExtend(FakeInbox):
        def extend(self, parcel: Parcel) -> None:
            beating.set()
            time.sleep(0.05)  # under way while the work ends
            super().extend(parcel)

    def work(parcel: Parcel, token: CancelToken) -> None:
        assert beating.wait(PATIENCE)
        raise OSError("now back off")

    inbox = SlowExtend([[Parcel("a")]])
    with running(make(inbox, work, timing=Timing(visibility=0, drain=PATIENCE, receive=PATIENCE))) as run:
        inbox.await_fate("a", "given back")
        run.end()
    assert ("extended", "a") in inbox.diary
    assert inbox.diary[-1] == ("given back", "a")


@given(st.floats(min_value=0, max_value=43_200))
def test_known_bug_4_the_heartbeat_interval_is_never_zero(visibility: float) -> None:
    beat = Timing(visibility=visibility).beat
    assert beat >= 1
    assert beat <= max(1, visibility / 2)


def test_known_bug_5_stop_called_many_times_is_harmless() -> None:
    gate = Gate()
    inbox = FakeInbox([[Parcel("a")]])
    with running(make(inbox, gate)) as run:
        gate.await_start("a")
        for _ in range(20):
            run.stop.request()
        assert run.end() == 1
        gate.open.set()
    assert inbox.fates("a") == ["given back"]


def test_known_bug_6_the_retries_of_receiving_do_not_swallow_failing_work() -> None:
    calls: list[str] = []

    def fail(parcel: Parcel, token: CancelToken) -> None:
        calls.append(parcel.id)
        raise ValueError("poison")

    inbox = FakeInbox([[Parcel("a")]])
    with running(make(inbox, fail)) as run:
        inbox.await_fate("a", "given back")
        run.end()
    assert calls == ["a"]


def test_the_second_signal_does_not_wait_for_the_drain() -> None:
    gate = Gate()
    inbox = FakeInbox([[Parcel("a")]])
    with running(make(inbox, gate, timing=Timing(drain=3600, receive=3600))) as run:
        gate.await_start("a")
        run.stop.request()
        run.stop.request()
        assert run.end() == 1
        gate.open.set()
    assert inbox.fates("a") == ["given back"]


def test_a_failing_heartbeat_neither_ends_the_work_nor_the_beating() -> None:
    inbox = FakeInbox([[Parcel("a")]], extend_fails=True)

    def work(parcel: Parcel, token: CancelToken) -> None:
        with inbox.changed:
            assert inbox.changed.wait_for(lambda: inbox.diary.count(("extended", "a")) == 2, PATIENCE)

    with running(make(inbox, work, timing=Timing(visibility=0, drain=PATIENCE, receive=PATIENCE))) as run:
        inbox.await_fate("a", "done")
        run.end()


def test_a_message_that_cannot_be_settled_leaves_the_daemon_alive() -> None:
    class Stubborn(FakeInbox):
        def ack(self, parcel: Parcel) -> None:
            super().ack(parcel)
            if parcel.id == "a":
                raise OSError("cannot delete")

    inbox = Stubborn([[Parcel("a")], [Parcel("b")]])
    with running(make(inbox, slots=1)) as run:
        inbox.await_fate("b", "done")
        assert run.end() == 0
    assert inbox.fates("a") == ["done"]


class Systemd(Notifier):
    """What systemd was told, without times."""

    def __init__(self, seconds: float = 60) -> None:
        super().__init__({})
        self.watchdog_seconds = seconds
        self.told: list[str] = []
        self.came = threading.Condition()

    def _tell(self, state: str) -> None:
        with self.came:
            self.told.append(state)
            self.came.notify_all()

    def await_told(self, *wanted: str) -> None:
        with self.came:
            assert self.came.wait_for(lambda: all(self.told.count(it) >= wanted.count(it) for it in wanted), PATIENCE)


def test_it_is_ready_once_after_the_first_receive_that_works() -> None:
    inbox = FakeInbox([OSError("no network yet"), OSError("no network yet"), [Parcel("a")], [Parcel("b")]])
    systemd, receive = Systemd(), inbox.receive
    told_by_then: list[list[str]] = []

    def listen(at_most: int) -> Sequence[Parcel]:
        told_by_then.append(list(systemd.told))
        return receive(at_most)

    inbox.receive = listen  # type: ignore[method-assign]
    with running(make(inbox, notifier=systemd, sleep=lambda _: None)) as run:
        inbox.await_fate("b", "done")
        run.end()
    ready = "READY=1\nSTATUS=waiting"
    assert ready not in told_by_then[2]
    assert ready in told_by_then[3]
    assert systemd.told.count(ready) == 1


def test_a_receive_that_hangs_starves_the_watchdog_though_all_else_goes_on() -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    class Hanging(FakeInbox):
        def receive(self, at_most: int) -> Sequence[Parcel]:
            if len(self.asked) == 5:
                hangs.set()
                assert goes_on.wait(PATIENCE)
            return super().receive(at_most)

    systemd = Systemd(0.01)
    with running(make(Hanging(), notifier=systemd)) as run:
        assert hangs.wait(PATIENCE)
        fed = systemd.told.count("WATCHDOG=1")
        time.sleep(0.1)  # many times what the main thread sleeps for
        assert systemd.told.count("WATCHDOG=1") == fed
        goes_on.set()
        systemd.await_told(*["WATCHDOG=1"] * (fed + 3))
        run.end()


def test_waiting_for_a_slot_and_for_the_queue_is_no_hanging() -> None:
    systemd, gate = Systemd(0.01), Gate()
    inbox = FakeInbox([*[OSError("away")] * 3, [Parcel("a")]])
    with running(make(inbox, gate, slots=1, notifier=systemd, sleep=lambda _: None)) as run:
        gate.await_start("a")
        assert systemd.told.count("WATCHDOG=1") >= 4
        systemd.await_told(*["WATCHDOG=1"] * 10)
        gate.open.set()
        run.end()


def test_a_drain_asks_systemd_for_the_time_that_it_may_take() -> None:
    systemd = Systemd()
    timing = Timing(drain=7200, receive=30, ending=3)
    with running(make(FakeInbox(), notifier=systemd, timing=timing)) as run:
        run.end()
    (state,) = [state for state in systemd.told if "STOPPING=1" in state]
    assert int(state.partition("EXTEND_TIMEOUT_USEC=")[2]) > 7203 * 1_000_000


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_receiver_that_breaks_ends_the_process_loudly() -> None:
    class Broken(FakeInbox):
        def receive(self, at_most: int) -> Sequence[Parcel]:
            raise SystemExit("not an Exception")

    daemon = make(Broken())
    daemon._notifier.watchdog_seconds = 0.01
    with running(daemon) as run:
        run.thread.join(PATIENCE)
        assert isinstance(run.result[0], RuntimeError)
    join("receiver")


@pytest.mark.parametrize(("asked", "delay"), [(77, 77), (3600, 900)])
def test_work_that_goes_on_later_comes_back_then_and_counts_as_no_attempt(asked: float, delay: float) -> None:
    inbox = FakeInbox([[Parcel("a")]])

    def shifting(parcel: Parcel, token: CancelToken) -> None:
        raise Later("10 % of the calls", asked)

    with running(make(inbox, shifting)) as run:
        inbox.await_fate("a", "requeued")
        run.end()
    assert (inbox.fates("a"), inbox.delays["a"]) == (["requeued"], delay)


def test_throttled_work_waits_as_long_as_it_says() -> None:
    inbox = FakeInbox([[Parcel("a", attempts=3)]])

    def throttled(parcel: Parcel, token: CancelToken) -> None:
        raise PutOff(OSError("rate exceeded"), 77)

    with running(make(inbox, throttled)) as run:
        inbox.await_fate("a", "put off")
        run.end()
    assert (inbox.fates("a"), inbox.delays["a"]) == (["put off"], 77)


def test_work_that_finds_its_app_in_other_hands_is_requeued() -> None:
    def busy(parcel: Parcel, token: CancelToken) -> None:
        raise Busy("dev/shop")

    inbox = FakeInbox([[Parcel("a", attempts=4)]])
    with running(make(inbox, busy)) as run:
        inbox.await_fate("a", "requeued")
        run.end()
    assert inbox.delays["a"] == BUSY_SECONDS


def test_a_message_in_other_hands_cancels_its_work_at_once_and_ends_its_processes() -> None:
    ended: list[int] = []

    class Taken(FakeInbox):
        def extend(self, parcel: Parcel) -> None:
            raise Cancelled("another worker has it")

    def work(parcel: Parcel, token: CancelToken) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
        token.check()

    inbox = Taken([[Parcel("a")]])
    timing = Timing(visibility=3, drain=PATIENCE, receive=PATIENCE)
    with running(make(inbox, work, timing=timing, hooks=Hooks(on_cancel=ended.append))) as run:
        inbox.await_fate("a", "given back")
        run.end()
    assert len(ended) == 1


def old_ones(parcels: Sequence[Parcel]) -> Sequence[Parcel]:
    """What needs no work: whatever is called so."""
    return [parcel for parcel in parcels if parcel.id.startswith("old")]


def olds(count: int, start: int = 0) -> list[Parcel]:
    return [Parcel(f"old-{number}") for number in range(start, start + count)]


def test_what_needs_no_work_is_settled_without_any() -> None:
    worked: list[str] = []
    inbox = FakeInbox([[Parcel("old-1"), Parcel("new"), Parcel("old-2")]])
    with running(make(inbox, lambda parcel, _: worked.append(parcel.id), deduplicate=old_ones)) as run:
        inbox.await_fate("new", "done")
        run.end()
    assert worked == ["new"]
    assert inbox.fates("old-1") == inbox.fates("old-2") == ["done without work"]


def test_more_than_there_are_slots_are_asked_for_as_long_as_none_needs_work() -> None:
    inbox = FakeInbox([olds(1), olds(2, 1), olds(4, 3), olds(8, 7), olds(10, 15), [Parcel("new")], [Parcel("last")]])
    with running(make(inbox, deduplicate=old_ones, slots=1)) as run:
        inbox.await_fate("last", "done")
        run.end()
    assert inbox.asked[:7] == [1, 1, 3, 7, 10, 10, 1]


def test_an_empty_receive_ends_the_greed() -> None:
    inbox = FakeInbox([olds(5), (), [Parcel("new")]])
    with running(make(inbox, deduplicate=old_ones, slots=1)) as run:
        inbox.await_fate("new", "done")
        run.end()
    assert inbox.asked[:3] == [1, 5, 1]


def test_what_finds_no_slot_is_requeued_at_once_without_counting_as_an_attempt() -> None:
    gate = Gate()
    inbox = FakeInbox([olds(3), [Parcel("a"), Parcel("b"), Parcel("c")]])
    with running(make(inbox, gate, deduplicate=old_ones, slots=1)) as run:
        gate.await_start("a")
        inbox.await_fate("c", "requeued")
        gate.open.set()
        run.end()
    assert inbox.fates("a") == ["done"]
    assert inbox.fates("b") == inbox.fates("c") == ["requeued"]
    assert inbox.delays == {"b": 0, "c": 0}


def test_when_deduplication_fails_all_are_worked_on() -> None:
    def fail(_: Sequence[Parcel]) -> Sequence[Parcel]:
        raise OSError("throttled")

    inbox = FakeInbox([[Parcel("a")], [Parcel("b")]])
    with running(make(inbox, deduplicate=fail)) as run:
        inbox.await_fate("a", "done")
        inbox.await_fate("b", "done")
        run.end()


def test_what_could_not_be_settled_together_leaves_the_daemon_alive() -> None:
    class Stubborn(FakeInbox):
        def ack_all(self, parcels: Sequence[Parcel]) -> None:
            raise OSError("cannot delete")

    inbox = Stubborn([olds(1), [Parcel("new")]])
    with running(make(inbox, deduplicate=old_ones)) as run:
        inbox.await_fate("new", "done")
        assert run.end() == 0


def test_nothing_is_deduplicated_once_we_are_told_to_stop() -> None:
    inbox = FakeInbox([olds(1)], blocked=threading.Event())
    with running(make(inbox, deduplicate=old_ones)) as run:
        assert inbox.receiving.wait(PATIENCE)
        run.stop.request()
        assert inbox.blocked
        inbox.blocked.set()
        run.end()
    assert inbox.fates("old-0") == ["given back"]
