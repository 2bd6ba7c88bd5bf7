"""What a deployment tells, and what stands around each of its changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from auto_lambda.model import BuildLog
from worker.deploy.gate.access import Rights
from worker.deploy.outlook import Outlook
from worker.deploy.rights.review import Review
from worker.traffic.shift import Shift


def _unjournaled(_: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class DeployContext:
    """The log and the contexts of a deployment.

    Attributes:
        log: takes progress.
        effect: makes the context of each change in AWS, by name; if it raises, the change is not made.
        verifying: makes the context of the verification.
        reviewed: takes the rights that the release asks for, and the pipeline's mode.
        warn: takes what does not stop the deployment.
        shift: where an earlier worker has left the shift of traffic; None if there is none.
        note_shift: takes where the shift is, before the weights are set.
        outlook: what was read ahead; None if nothing was.
    """

    log: BuildLog
    effect: Callable[[str], AbstractContextManager[None]] = _unjournaled
    verifying: Callable[[], AbstractContextManager[None]] = nullcontext
    reviewed: Callable[[Review, Rights], None] = lambda _review, _rights: None
    warn: Callable[[str], None] = lambda _: None
    shift: Shift | None = None
    note_shift: Callable[[Shift], None] = lambda _: None
    outlook: Outlook | None = None
