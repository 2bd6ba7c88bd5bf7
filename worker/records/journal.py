"""The journal: how far the present work on an app has got.

A `JournalEntry` is written before and after each step that changes something in AWS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from auto_lambda.errors import AppError
from worker.model import Release

ATTRIBUTE = "attribute"
"""Key of a field's metadata: the name of the field in the table, if it is another."""

Phase = Literal["begun", "done", "failed"]
_AFTER_EXPANDING = frozenset(
    {"publish", "release", "verify", "traffic", "switch", "front", "flex", "events", "routes", "going back"}
)
_BEFORE = frozenset({"tasks", "expand", "stack"})
"""Tasks on Fargate, or the stack, may be those of another release already. ``stack`` was written by earlier workers."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step with an effect. ``subject`` is the lease's; ``when`` ISO 8601, in UTC; ``release`` the text of one.

    ``failure`` is the text of the `AppError` that a step of this work ended with; ``traffic`` that of the
    `Shift` of its traffic.
    """

    subject: str
    step: str
    phase: Phase
    template_key: str | None
    worker: str
    when: str
    release: str | None = None
    failure: str | None = field(default=None, metadata={ATTRIBUTE: "verdict"})
    traffic: str | None = None

    @property
    def key(self) -> str:
        """The key of the upload that is worked on."""
        return self.subject.partition("@")[0]

    @property
    def version(self) -> str:
        """Its version; empty where the subject says none."""
        return self.subject.partition("@")[2].partition("@")[0]

    @property
    def known_failure(self) -> AppError | None:
        """The failure of the deployed release: a successor rolls back without trying it again."""
        if self.failure is None or self.step not in _AFTER_EXPANDING:
            return None
        return AppError.of(self.failure)

    def may_have_replaced(self, template_key: str) -> bool:
        """Tell whether the stack may hold another release than that one, because the work was interrupted."""
        return self.step in _BEFORE | _AFTER_EXPANDING and self.template_key not in {
            None,
            template_key,
        }

    @property
    def finished_release(self) -> Release | None:
        """The release that a successor need not build again: it has passed the proof and is in the artifacts bucket."""
        if self.release is None or (self.step == "artifacts" and self.phase != "done"):
            return None
        return Release.of(self.release)
