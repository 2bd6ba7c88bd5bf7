"""What is there before a deployment changes anything: the stack of an app, with its functions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.model import Template
from worker.deploy.own_functions import OwnFunction

SECONDS_AHEAD = 30.0
"""How long a stack that was seen is relied on."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A stack that stands still, with its template, the physical ids of its resources, and its functions."""

    stack: Stack
    template: Template
    resources: Mapping[str, str]
    functions: tuple[OwnFunction, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was read of an app under its lease, while its release was still being made.

    Attributes:
        seen: its stack; None if there is none, or more to do than to read it.
        live: the template of what is live by the ledger; None without one.
        began: when it began to be read, in seconds, monotonic.
    """

    seen: Standing | None = None
    live: Template | None = None
    began: float = field(default_factory=time.monotonic, compare=False)

    @property
    def standing(self) -> Standing | None:
        """The stack, if it was seen just now; None if it is to be read anew."""
        return self.seen if time.monotonic() - self.began < SECONDS_AHEAD else None
