"""One builder's request, from the first message to the last, and those of the builders that work for it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from auto_lambda import logs
from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture, FrameworkName, GuessedSettings
from builder.protocol.channel import BadMessage, WireMessage
from builder.protocol.messages import (
    STEPS,
    Action,
    ActionDone,
    ActionKind,
    AppBuilt,
    AppFailed,
    AppRequest,
    Ask,
    BuildRequest,
    Event,
    Guessed,
    LayerBase,
    Log,
    Netted,
    ProblemMessage,
    Recognised,
    Reply,
    Step,
    StepBegan,
    ToolAsk,
    Toolchain,
    Trouble,
    Warned,
    read_event,
)
from worker.builds.action_cache import ActionCache, Cached, Received
from worker.builds.launcher import BuilderProcess
from worker.builds.spares import Spares
from worker.builds.toolchain import Machine

MAX_SECONDS = 3600.0
"""How long one builder may take, all told."""

_TICK = 0.25  # seconds between two looks at whether the result is still wanted
_AT_ONCE = 8  # questions of one builder that are answered at once, and builders of one upload that perform actions
_LAYERS_AT_ONCE = 2  # builders of one upload that make a layer; an honest one asks for one
_OPEN = 16  # questions of one builder that wait for an answer, then nothing more is read from it
_MAX_TOLD, _MAX_WARNED = 1_000, 1_000_000  # entries for the receipt, and characters of its warnings
_MAY_ASK: Mapping[ActionKind | None, frozenset[ActionKind]] = {
    None: frozenset({"resolve", "layer", "wheel", "expand"}),
    "layer": frozenset({"wheel"}),
}

TRIES = 2
"""How often a builder may break off before that is the upload's fault."""

_MODULES = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")
_OUR_PATH = re.compile(r"'/[^']*'")
_log = logs.get("builder")


class BuildTrouble(Exception):
    """A build failed on our side: the package index, this machine, or a fault in our code."""


class BrokenOff(Exception):
    """A builder ended by itself, or does not keep to the protocol; the message says how."""


class _Over(Exception):
    """The builder that asked is gone, so nobody waits for the answer."""


class BuildListener(Protocol):
    """Hears how a build goes on. Each may be called by several threads, but `step` by one."""

    def step(self, step: Step) -> None:
        """Begin a step; raises what ends the build."""

    def say(self, text: str) -> None:
        """Add lines to the uploader's log."""

    def warn(self, text: str) -> None:
        """Add a warning to the receipt."""

    def recognised(self, framework: FrameworkName, python: str, architecture: Architecture) -> None:
        """Report the app's framework and target."""

    def guessed(self, settings: GuessedSettings) -> None:
        """Report the settings that are used, as the zip holds none."""

    def check(self) -> None:
        """Raise when the result is not wanted any more. Called often."""


@dataclass(frozen=True, slots=True)
class BuilderServices:
    """What serves builders.

    Attributes:
        spares: gives builders.
        cache: keeps the results of actions.
        machine: tells builders of this machine's tools.
        max_seconds: how long one builder may take.
    """

    spares: Spares
    cache: ActionCache
    machine: Machine
    max_seconds: float = MAX_SECONDS


class Conversation:
    """Holds the conversations that building one app takes.

    Args:
        services: how builders are served.
        toolchain: what they are told of this machine.
        listener: hears how it goes on.
    """

    def __init__(self, services: BuilderServices, toolchain: Toolchain, listener: BuildListener) -> None:
        self._services = services
        self._toolchain = toolchain
        self._listener = listener
        self.given: dict[str, Cached] = {}
        # Layers wait for wheels, which wait for nobody: with room of their own, none waits for ever.
        self._layers = threading.Semaphore(_LAYERS_AT_ONCE)
        self._others = threading.Semaphore(_AT_ONCE)

    def build(self, request: AppRequest, zip_file: int) -> tuple[AppBuilt, WireMessage]:
        """Have an app built from its zip, which is open for reading.

        Returns:
            The result, and the message with its files.

        Raises:
            AppError: the uploader can fix it.
            BuildTrouble: our side failed.
            BrokenOff: see there.
        """
        event, message = self._hold(BuildRequest(toolchain=self._toolchain, app=request), (zip_file,))
        if not isinstance(event, AppBuilt):
            message.close()
            raise BrokenOff("it ended with the result of an action")
        return event, message

    def perform(self, action: Action, check: Callable[[], None] | None = None) -> Received:
        """Have an action performed by a builder of its own; raises as `build` does.

        Args:
            action: what to perform.
            check: raises when the result is not wanted any more; by default, the listener says so.
        """
        folder, inputs = self._services.cache.base(action) or (None, {})
        base = LayerBase(folder=str(folder), inputs=dict(inputs)) if folder else None
        request = BuildRequest(toolchain=self._toolchain, action=action, base=base)
        with self._room(self._layers if action.kind == "layer" else self._others, check or self._listener.check):
            event, message = self._hold(request, (), check)
        sound = isinstance(event, ActionDone) and len(event.files) == len(message.files)
        if not isinstance(event, ActionDone) or not sound or (event.on_base and not base):
            message.close()
            raise BrokenOff("it ended with another result than that of its action")
        return Received(event.files, message.files, folder if event.on_base else None)

    @contextmanager
    def _room(self, room: threading.Semaphore, check: Callable[[], None]) -> Iterator[None]:
        """Wait until there is room for another builder of this upload."""
        while not room.acquire(timeout=_TICK):
            check()
        try:
            yield
        finally:
            room.release()

    def _hold(
        self, request: BuildRequest, files: Sequence[int], check: Callable[[], None] | None = None
    ) -> tuple[AppBuilt | ActionDone, WireMessage]:
        """Send a request, and follow the events until the last one."""
        kind = request.action.kind if request.action else None
        exchange = _Exchange(kind, time.monotonic() + self._services.max_seconds, check or self._listener.check)
        exchange.check()
        with self._services.spares.builder() as running, ThreadPoolExecutor(_AT_ONCE) as answering:
            try:
                running.channel.send(request.model_dump(mode="json"), files)
                while True:
                    event, message = self._next(running, exchange)
                    if isinstance(event, AppBuilt | ActionDone):
                        return event, message
                    message.close()
                    if isinstance(event, Ask | ToolAsk):
                        _require_allowed(event, kind)
                        exchange.room.acquire()
                        answering.submit(self._answer, running, event, exchange)
                    else:
                        self._handle(event, exchange)
            except (BadMessage, OSError) as error:
                raise BrokenOff(str(error)) from None
            finally:
                exchange.over.set()
                running.channel.shutdown()  # whatever still waits for an answer gets none
                answering.shutdown(wait=False, cancel_futures=True)

    def _next(self, running: BuilderProcess, exchange: _Exchange) -> tuple[Event, WireMessage]:
        while not exchange.room.acquire(timeout=_TICK):
            self._check(exchange)
            if not running.alive():
                raise BrokenOff("it ended without a result")
        exchange.room.release()
        while True:
            self._check(exchange)
            try:
                message = running.channel.receive(_TICK)
            except TimeoutError:
                continue
            if message is None:
                raise BrokenOff("it ended without a result")
            try:
                return read_event(message.content), message
            except BadMessage:
                message.close()
                raise

    def _check(self, exchange: _Exchange) -> None:
        exchange.check()
        if time.monotonic() > exchange.deadline:
            raise AppError(
                Code.TOOK_TOO_LONG,
                f"building the app was stopped after {self._services.max_seconds:,.0f} seconds",
                hint="Use packages that offer wheels for Lambda, or fewer of them.",
            )

    def _handle(self, event: Event, exchange: _Exchange) -> None:
        match event:
            case AppFailed():
                raise AppError(event.problem.code, event.problem.message, hint=event.problem.hint)
            case Netted():
                exchange.tell(len(event.text))
                _log.warning("taken for the uploader's error", traceback=event.text)
            case Trouble():
                _log.warning("a builder failed on our side", traceback=event.text)
                raise BuildTrouble(_reason(event.text))
            case Log():
                self._listener.say(event.text)
            case Warned():
                exchange.tell(len(event.text))
                self._listener.warn(event.text)
            case StepBegan() if exchange.kind is None:
                if next(exchange.steps, None) != event.step:
                    raise BadMessage(f"the step {event.step} out of order")
                self._listener.step(event.step)
            case Recognised() if exchange.kind is None:
                exchange.tell()
                self._listener.recognised(event.framework, event.python, event.architecture)
            case Guessed() if exchange.kind is None:
                exchange.tell(len(event.text))
                self._listener.guessed(GuessedSettings(event.file, event.text))
            case _:
                raise BadMessage(f"an event that the action {exchange.kind} does not have")

    def _answer(self, running: BuilderProcess, question: Ask | ToolAsk, exchange: _Exchange) -> None:
        try:
            answer = self._answered(question, exchange)
        except AppError as error:
            problem = ProblemMessage(code=error.code, message=error.message, hint=error.hint)
            answer = Reply(answer=question.ask, problem=problem)
        except Exception as error:  # noqa: BLE001 - the builder passes it on, and the build fails on our side
            _log.warning("a builder's question failed", error=str(error))
            text = f"{type(error).__name__}: {error}"[:4000]
            answer = Reply(answer=question.ask, trouble=text.encode(errors="replace").decode())
        try:
            running.channel.send(answer.model_dump(mode="json"))
        except OSError:
            _log.info("a builder did not wait for its answer")
        finally:
            exchange.room.release()

    def _answered(self, question: Ask | ToolAsk, exchange: _Exchange) -> Reply:
        if isinstance(question, ToolAsk):
            folder = self._services.machine.tools.python(question.name, question.python).parents[1]
            return Reply(answer=question.ask, folder=str(folder))
        found = self._result(question.action, exchange.check)
        self.given[found.key] = found
        if question.action.kind == "layer" and not found.new:
            self._listener.say(f"dependencies: seen before, layer {found.key[:12]}")
        return Reply(answer=question.ask, folder=str(found.folder), key=found.key)

    def _result(self, action: Action, check: Callable[[], None]) -> Cached:
        reason = ""
        for _ in range(TRIES):
            try:
                return self._services.cache.result(
                    action, lambda wanted: self.perform(wanted, check), self._listener.say, check
                )
            except (BrokenOff, BadMessage) as error:
                reason = str(error)
                _log.warning("a builder broke off", action=action.kind, reason=reason)
        raise broke_off(f"does the step {action.kind} for this app", reason)


def broke_off(what: str, reason: str) -> AppError:
    """Return the error of a builder that broke off each time."""
    return AppError(
        Code.BUILDER_BROKE_OFF,
        f"The process that {what} broke off, {TRIES} times in a row: {reason}.",
        hint="Look for what makes this zip special: a very large file, or code that ends or overloads its process "
        "when it is imported. If the app is ordinary, show the log to who runs the pipeline.",
    )


def _require_allowed(question: Ask | ToolAsk, kind: ActionKind | None) -> None:
    if isinstance(question, Ask) and question.action.kind not in _MAY_ASK.get(kind, ()):
        raise BadMessage(f"a builder of kind {kind or 'app'} may not ask for the action {question.action.kind}")


@dataclass
class _Exchange:
    """How far a conversation is.

    Attributes:
        kind: None for an app.
        deadline: in seconds, monotonic.
        wanted: raises when the result is not wanted any more.
        over: set at the end; then nobody waits for answers.
        room: for questions that wait for an answer.
    """

    kind: ActionKind | None
    deadline: float
    wanted: Callable[[], None]
    steps: Iterator[Step] = field(default_factory=lambda: iter(STEPS))
    over: threading.Event = field(default_factory=threading.Event)
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_OPEN))
    told: int = 0
    warned: int = 0

    def check(self) -> None:
        """Raise when the result is not wanted any more, or nobody is there to take it."""
        self.wanted()
        if self.over.is_set():
            raise _Over("the builder that asked is gone")

    def tell(self, characters: int = 0) -> None:
        """Count what goes into the receipt."""
        self.told += 1
        self.warned += characters
        if self.told > _MAX_TOLD or self.warned > _MAX_WARNED:
            raise BadMessage("too many warnings")


class NoListener:
    """Hears nothing."""

    def step(self, step: Step) -> None: ...  # noqa: D102
    def say(self, text: str) -> None: ...  # noqa: D102
    def warn(self, text: str) -> None: ...  # noqa: D102
    def recognised(self, framework: FrameworkName, python: str, architecture: Architecture) -> None: ...  # noqa: D102
    def guessed(self, settings: GuessedSettings) -> None: ...  # noqa: D102
    def check(self) -> None: ...  # noqa: D102


def _reason(traceback: str) -> str:
    """Return what a traceback ends in, for an uploader: without its frames, modules and paths of this machine."""
    last = next((line for line in reversed(traceback.splitlines()) if line.strip()), "")
    return _OUR_PATH.sub("a file", _MODULES.sub("", last))
