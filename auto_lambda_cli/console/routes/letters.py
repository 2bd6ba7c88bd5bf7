"""Dead letters: listed when a person asks, and sent back to the queue."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from auto_lambda.aws.sqs import MessageGone
from auto_lambda.redact import printable
from auto_lambda_cli.console.answers import in_parts
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.requests import PageRequest

if TYPE_CHECKING:
    from worker.operations.redrive import DeadLetter, Redrive


def letters(context: ConsoleContext, _: PageRequest) -> Any:
    """List the messages of the dead-letter queue; they are visible to others again afterwards."""

    def told() -> list[dict[str, Any]]:
        redrive = _redrive(context)
        found = list(redrive.dead_letters())
        for one in found:
            _release(redrive, one)
        return [_letter(one) for one in found]

    return in_parts({"letters": context.part(told)})


def redrive(context: ConsoleContext, asked: PageRequest) -> Any:
    """Send dead letters back to the queue: one, those of an app, or all."""
    app, id_ = asked.text("app"), asked.text("id")
    back = _redrive(context)
    sent = 0
    for one in list(back.dead_letters()):
        if (app and app not in one.apps) or (id_ and id_ != one.message.id):
            _release(back, one)
        else:
            back.send_back(one)
            sent += 1
    return {"sent": sent}


def _redrive(context: ConsoleContext) -> Redrive:
    from auto_lambda_cli.queries.operations import redrive as make

    return make(context.services, context.setting)


def _release(back: Redrive, one: DeadLetter) -> None:
    with suppress(MessageGone):  # somebody else has received it meanwhile
        back.release(one)


def _letter(one: DeadLetter) -> dict[str, Any]:
    return {
        "id": one.message.id,
        "apps": one.apps,
        "code": one.code,
        "reason": printable(one.reason),
        "attempts": one.attempts,
        "log": [printable(line) for line in one.log],
    }
