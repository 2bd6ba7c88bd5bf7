"""What demos on a local stack have in common: they say what they do, and wait for what should come of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auto_lambda_cli.local_stack.stack import LocalStack, local_client

if TYPE_CHECKING:
    from rich.console import Console


@dataclass
class Demonstration:
    """A demo on a local stack.

    Attributes:
        stack: where it is.
        console: takes what it says.
        patience: seconds that it waits for one thing.
    """

    stack: LocalStack
    console: Console
    patience: float

    def happens(self, happened: Callable[[], bool]) -> bool:
        """Wait until something has happened; tell whether it has. Raises if the stack has failed meanwhile."""
        deadline = time.monotonic() + self.patience
        while not happened():
            self.stack.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        if service not in self._clients:
            self._clients[service] = local_client(self.stack.aws, service)
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def title(self, text: str) -> None:
        """Say what comes next."""
        self.console.print(f"\n[bold]{text}[/]")

    def say(self, text: str, indent: int = 3) -> None:
        """Say what came of it."""
        self.console.print(" " * indent + text, markup=False, soft_wrap=True)
