"""Work whose result depends on its inputs alone, so that it may be kept and shared between uploads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auto_lambda.model import BuildLog
from builder.protocol.messages import Action


@dataclass(frozen=True, slots=True)
class ActionResult:
    """A folder with the files of a result; ``key`` names it where it is kept, None where it is not."""

    folder: Path
    key: str | None = None


class Actions(Protocol):
    """Runs actions: asks the worker, which has it done by another builder; or does them here, for who is alone."""

    def run(self, action: Action, log: BuildLog) -> ActionResult:
        """Return the result of an action.

        Raises:
            AppError: the uploader can fix it.
            OurTrouble: our side failed.
        """


class OurTrouble(Exception):
    """Our side failed: the package index, this machine, or a fault in our code. Worth another try."""
