"""A builder's side of the conversation with its worker."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from auto_lambda.daemon.descendants import end_descendants
from auto_lambda.errors import AppError
from auto_lambda.model import BuildLog, GuessedSettings
from auto_lambda.redact import Redactor
from builder.actions import ActionResult, OurTrouble
from builder.model import Source
from builder.protocol.channel import BadMessage, Channel, check_sendable
from builder.protocol.messages import (
    Action,
    ActionDone,
    AppBuilt,
    AppFailed,
    Ask,
    Event,
    Guessed,
    Log,
    Netted,
    ProblemMessage,
    Recognised,
    Reply,
    Step,
    StepBegan,
    ToolAsk,
    Trouble,
    Warned,
    read_as,
)

_MAX_TEXT = 50_000  # characters of one message's text
_MAX_LINE = 4_000


class Session:
    """Tells the worker of events, and asks it for what this process may not get itself.

    When the worker closes the connection nobody wants the result: the process ends at once, with all that it runs.

    Args:
        channel: the connection; the request has been received.
        redact: hides secrets in whatever is told.
    """

    def __init__(self, channel: Channel, redact: Redactor | None = None) -> None:
        self._channel = channel
        self._redact = redact or Redactor()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Reply]] = {}

    def start(self) -> None:
        """Begin to listen for answers."""
        threading.Thread(target=self._listen, name="answers", daemon=True).start()

    def step(self, step: Step) -> None:
        """Begin a step."""
        self._send(StepBegan(step=step))

    def say(self, text: str) -> None:
        """Add lines to the uploader's log."""
        self._send(Log(text=self._clean(text)[:_MAX_TEXT]))

    def warn(self, text: str) -> None:
        """Add a warning to the receipt."""
        self._send(Warned(text=self._clean(text)[:_MAX_TEXT]))

    def recognised(self, source: Source) -> None:
        """Say what the app is, and what it is built for."""
        self._send(Recognised(framework=source.framework, python=source.python, architecture=source.architecture))

    def guessed(self, settings: GuessedSettings) -> None:
        """Say which settings are used, as the zip holds none."""
        self._send(Guessed(file=self._clean(settings.file)[:_MAX_LINE], text=self._clean(settings.text)[:_MAX_LINE]))

    def run(self, action: Action, log: BuildLog) -> ActionResult:  # noqa: ARG002 - the worker tells the uploader
        """Have the worker return an action's result; see `Actions.run`."""
        answer = self._ask(lambda number: Ask(ask=number, action=action))
        return ActionResult(Path(_folder(answer)), answer.key)

    def tool(self, name: str, minor: str) -> Path:
        """Have the worker make a tool environment; return its folder."""
        answer = self._ask(lambda number: ToolAsk.model_validate({"ask": number, "name": name, "python": minor}))
        return Path(_folder(answer))

    def built(self, result: AppBuilt, files: Sequence[int]) -> None:
        """End with an app."""
        self._send(result, files)

    def done(self, result: ActionDone, files: Sequence[int]) -> None:
        """End with an action's result."""
        self._send(result, files)

    def failed(self, error: AppError) -> None:
        """End with what the uploader can fix."""
        message, hint = (self._clean(text)[:_MAX_TEXT] for text in (error.message, error.hint))
        problem = ProblemMessage(code=error.code, message=message, hint=hint)
        self._send(AppFailed(problem=problem))

    def netted(self, text: str) -> None:
        """Report an error that is taken for the uploader's, but may be a fault in our code; the operator sees it."""
        self._send(Netted(text=self._clean(text)[-_MAX_TEXT:]))

    def trouble(self, text: str) -> None:
        """End with a failure of our side."""
        self._send(Trouble(text=self._clean(text)[-_MAX_TEXT:]))

    def _clean(self, text: str) -> str:
        """Hide secrets, and replace what is no Unicode: an upload may hold lone surrogates."""
        return self._redact(text).encode(errors="replace").decode()

    def _send(self, event: Event, files: Sequence[int] = ()) -> None:
        content = event.model_dump(mode="json")
        if isinstance(event, AppBuilt | Ask):  # they hold values of the upload as they are
            check_sendable(content)
        self._channel.send(content, files)

    def _ask(self, question: Callable[[int], Ask | ToolAsk]) -> Reply:
        number = next(self._numbers)
        future: Future[Reply] = Future()
        self._waiting[number] = future
        self._send(question(number))
        return future.result()

    def _listen(self) -> None:
        try:
            while message := self._channel.receive():
                answer = read_as(Reply, message.content)
                self._waiting.pop(answer.answer).set_result(answer)
        except (OSError, BadMessage, KeyError):
            pass
        end_descendants()
        os._exit(1)


def _folder(answer: Reply) -> str:
    if answer.problem:
        problem = answer.problem
        raise AppError(problem.code, problem.message, hint=problem.hint)
    if answer.folder is None:
        raise OurTrouble(answer.trouble or "the worker gave no reason")
    return answer.folder
