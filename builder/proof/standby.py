"""The proof's sandbox, entered while the app is compiled: its server stands by, and starts what is foreseen."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from auto_lambda.model import BuildLog
from builder.model import Foreseen
from builder.proof.starts import Start
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import Command, Limits, Outcome, Sandbox

_PATIENCE = 5.0  # seconds for a server that is not needed to end

Prepare = Callable[[Path, Mapping[str, Any], Path], tuple[Command, ResultFile]]
"""Makes the server's command: the folder of the code, what its request has besides, an empty writable folder."""

ForeseenStart = Callable[[Foreseen], Start]
"""Says how a function of such properties is started."""


@dataclass
class Standby:
    """A server in the sandbox that waits for its starts. A context manager, which ends it.

    What the app prints meanwhile is told once somebody asks for the outcome.

    Args:
        sandbox: runs the server.
        prepare: see there.
        foreseen_start: see there.
        work: an empty writable folder.
        limits: of the server, with all that it starts.
        possible: whether this machine can start the app at all.
    """

    sandbox: Sandbox
    prepare: Prepare
    foreseen_start: ForeseenStart
    work: Path
    limits: Limits
    possible: bool = True
    _code: Path | None = None
    _thread: threading.Thread | None = None
    _ended: list[tuple[Outcome, ResultFile] | Exception] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _log: BuildLog | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def begin(self, code: Path, foreseen: Foreseen | None = None) -> None:
        """Enter the sandbox, in the background.

        Args:
            code: the folder that the code will be in; it exists.
            foreseen: a function of whose code nothing is missing any more; it is started at once.
        """
        if not self.possible:
            return
        self._told.parent.mkdir()
        self._code = code
        # A daemon: an app may hold up its server, and the builder ends with all that it has started.
        self._thread = threading.Thread(target=self._run, args=(code, foreseen), name="proof", daemon=True)
        self._thread.start()

    def outcome(
        self, code: Path, wanted: Sequence[Start], limits: Limits, log: BuildLog
    ) -> tuple[Outcome, ResultFile] | None:
        """Have the server start what is wanted; None if it cannot, and another one has to.

        Args:
            code: the folder that holds the code.
            wanted: the starts.
            limits: that they have together.
            log: takes what is printed, from the beginning.
        """
        if self._thread is None or not self._thread.is_alive():
            return None
        if code != self._code or limits.cpu > self.limits.cpu or limits.memory > self.limits.memory:
            self._end()
            return None
        with self._lock:
            for line in self._lines:
                log(line)
            self._log = log
        self._tell(wanted)
        self._thread.join(limits.wall)
        if not self._ended:
            return Outcome(-1, "", limits.wall, "time", limits), ResultFile(self._inside / "none")
        if isinstance(found := self._ended[0], Exception):
            raise found
        return found

    def _end(self) -> None:
        if self._thread and self._thread.is_alive():
            self._tell(())
            self._thread.join(_PATIENCE)

    @property
    def _told(self) -> Path:
        return self.work / "told" / "starts.json"

    @property
    def _inside(self) -> Path:
        return self.work / "inside"

    def _tell(self, wanted: Sequence[Start]) -> None:
        fresh = self._told.with_suffix(".new")
        fresh.write_text(json.dumps([dataclasses.asdict(one) for one in wanted]), encoding="utf-8")
        fresh.replace(self._told)

    def _run(self, code: Path, foreseen: Foreseen | None) -> None:
        try:
            self._inside.mkdir()
            early = self.foreseen_start(foreseen) if foreseen else None
            start = {"handler": early.handler, "environment": dict(early.environment)} if early else None
            command, result = self.prepare(code, {"told": str(self._told), "foreseen": start}, self._inside)
            command = dataclasses.replace(command, readable=(*command.readable, self._told.parent), limits=self.limits)
            self._ended.append((self.sandbox.run(command, self._say), result))
        except Exception as error:  # noqa: BLE001 - raised again where the outcome is asked for
            self._ended.append(error)

    def _say(self, line: str) -> None:
        with self._lock:
            if self._log:
                self._log(line)
            else:
                self._lines.append(line)
