"""Clients that ask an app all the time, at a rate that changes, each with a resolver of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from auto_lambda_cli.local_stack.dns import DnsResolver, NoSuchName

AT_ONCE = 8  # requests; more would start as many instances of a function, which share few cores here


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: when it was sent, where the name led, how long it took, and what was wrong."""

    at: float
    target: str
    seconds: float
    wrong: str = ""


class Clients:
    """Sends requests until the end of the context.

    Args:
        ask: sends a request to where a name leads, and returns what is wrong with the answer, nothing if it is good.
        resolvers: of the clients, which take turns.
        clock: seconds.
    """

    def __init__(
        self,
        ask: Callable[[str], str],
        resolvers: Sequence[DnsResolver],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = 0.0
        self._ask = ask
        self._clients = [(resolver, threading.Lock()) for resolver in resolvers]
        self._clock = clock
        self._done: list[Asked] = []
        self._stop = threading.Event()
        self._free = threading.Semaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="client")
        self._thread = threading.Thread(target=self._send_forever, daemon=True, name="clients")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for the answers."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def done(self) -> list[Asked]:
        """Return all requests that have ended."""
        return self._done.copy()

    def _send_forever(self) -> None:
        number, due = 0, self._clock()
        while not self._stop.is_set():
            if self.rate <= 0:
                due = self._clock()
                self._stop.wait(0.05)
                continue
            due = max(due + 1 / self.rate, self._clock() - 1)  # what could not be sent for more than a second is not
            self._stop.wait(max(0.0, due - self._clock()))
            if self._free.acquire(timeout=0.5):  # else all are waiting for answers: no queue that outlives the context
                self._pool.submit(self._one, number)
                number += 1

    def _one(self, number: int) -> None:
        try:
            self._ask_once(number)
        finally:
            self._free.release()

    def _ask_once(self, number: int) -> None:
        resolver, lock = self._clients[number % len(self._clients)]
        began = self._clock()
        target = ""
        try:
            with lock:
                target = resolver.resolve()
            wrong = self._ask(target)
        except NoSuchName:
            wrong = "the name has no record"
        except Exception as error:  # noqa: BLE001 - whatever it is, a request has failed
            wrong = repr(error)
        self._done.append(Asked(began, target, self._clock() - began, wrong))
