from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from auto_lambda_cli.local_stack.emulator.idle_functions import end_idle


@dataclass
class Worker:
    last_used: float
    in_use: bool = False


@dataclass
class Runtime:
    """The emulator's module, as far as it is used."""

    _workers: dict[str, list[Worker]]
    killed: list[Worker] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    def kill_workers(self, workers: list[Worker]) -> None:
        self.killed += workers


def test_only_what_is_idle_for_long_is_ended_even_if_it_is_its_functions_last() -> None:
    idle, at_work, recent = Worker(10), Worker(10, in_use=True), Worker(100)
    runtime = Runtime({"one": [idle], "two": [at_work, recent]})
    end_idle(runtime, since=50)
    assert runtime.killed == [idle]
    assert runtime._workers == {"one": [], "two": [at_work, recent]}
