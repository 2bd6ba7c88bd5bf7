"""Gives functions the whole record of a topic's message; the emulator leaves out what a message does not have."""

from __future__ import annotations

import json
from typing import Any


def patch() -> None:
    """Complete the record of each message that goes to a function."""
    from ministack.services import sns  # type: ignore[import-not-found,unused-ignore]

    deliver = sns._deliver_to_lambda

    def deliver_whole(endpoint: str, envelope: str, *rest: Any, **more: Any) -> Any:
        return deliver(endpoint, json.dumps(record_of(json.loads(envelope))), *rest, **more)

    sns._deliver_to_lambda = deliver_whole


def record_of(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return what a function sees under ``Sns``, with the names of URLs as Lambda spells them."""
    spelled = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    named = {spelled.get(name, name): value for name, value in envelope.items()}
    return {"Subject": None, "MessageAttributes": {}, **named}
