from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from auto_lambda_cli.local_stack.dns import DnsResolver, Record
from auto_lambda_cli.local_stack.load import AT_ONCE, Asked, Clients


def resolver(*targets: str) -> DnsResolver:
    return DnsResolver(lambda: [Record(one, 60) for one in targets], time.monotonic, lambda: 0.0)


def asked(clients: Clients, enough: Callable[[list[Asked]], bool]) -> list[Asked]:
    """What was asked in the end, once it is enough."""
    with clients:
        clients.rate = 200
        deadline = time.monotonic() + 20
        while not enough(clients.done()) and time.monotonic() < deadline:
            time.sleep(0.01)
    return clients.done()


def test_clients_take_turns_each_with_its_resolver() -> None:
    done = asked(Clients(lambda _: "", [resolver("one"), resolver("two")]), lambda done: len(done) >= 40)
    counts = Counter(one.target for one in done)
    assert set(counts) == {"one", "two"}
    assert abs(counts["one"] - counts["two"]) <= 2
    assert not any(one.wrong for one in done)


def test_what_is_wrong_is_kept_whatever_it_is() -> None:
    def ask(target: str) -> str:
        if target == "down":
            raise ConnectionRefusedError("nobody there")
        return "500"

    clients = Clients(ask, [resolver("down"), resolver("ill"), resolver()])
    done = asked(clients, lambda done: len({one.wrong for one in done}) == 3)
    assert {one.wrong for one in done} == {
        "ConnectionRefusedError('nobody there')", "500", "the name has no record",
    }  # fmt: skip


def test_at_the_end_answers_that_are_on_their_way_are_waited_for() -> None:
    begun, go = threading.Event(), threading.Event()

    def ask(_: str) -> str:
        begun.set()
        go.wait(20)
        return ""

    clients = Clients(ask, [resolver("one")])
    with clients:
        clients.rate = 50
        assert begun.wait(20)
        assert clients.done() == []
        threading.Timer(0.05, go.set).start()
    assert clients.done()


def test_without_a_rate_nobody_asks() -> None:
    with Clients(lambda _: "", [resolver("one")]) as clients:
        time.sleep(0.1)
    assert clients.done() == []


def test_while_all_wait_for_answers_no_queue_of_requests_grows() -> None:
    all_wait, go, sent = threading.Semaphore(0), threading.Event(), list[str]()

    def ask(target: str) -> str:
        sent.append(target)
        all_wait.release()
        go.wait(20)
        return ""

    clients = Clients(ask, [resolver("one"), resolver("two")])
    with clients:
        clients.rate = 1000
        for _ in range(AT_ONCE):
            assert all_wait.acquire(timeout=20)
        time.sleep(0.1)  # a hundred more are due meanwhile
        threading.Timer(0.05, go.set).start()
        clients.stop()
    assert len(sent) <= 2 * AT_ONCE
