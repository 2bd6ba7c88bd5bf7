"""Hears that the machine must leave, and keeps the group from taking it while it builds.

One thread looks at the metadata service every few seconds. Off EC2 it soon ends, and nothing is said about it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from auto_lambda import logs
from auto_lambda.aws.metadata import NoMetadata
from auto_lambda.service import Stop

PAUSE = 5.0  # seconds between two looks
IDLE = 30.0  # seconds without work before protection is given up: builds often come one after the other
BEAT = 60.0  # seconds between two heartbeats of the lifecycle hook
TRIES = 5  # until there is no metadata service
AGREED = 60.0  # seconds that the metadata service may take to say what the group has agreed to

_log = logs.get("leaving")


class Metadata(Protocol):
    """What the machine is told; every call may raise `NoMetadata`."""

    def instance(self) -> str: ...  # noqa: D102
    def notice(self) -> str | None: ...  # noqa: D102
    def terminating(self) -> bool: ...  # noqa: D102


class Member(Protocol):
    """The machine's part in its group; every call may raise anything."""

    def protect(self, wanted: bool) -> None: ...  # noqa: D102
    def leave(self) -> None: ...  # noqa: D102
    def still_here(self) -> None: ...  # noqa: D102
    def ready_to_go(self) -> None: ...  # noqa: D102


class Leaving:
    """The watcher.

    Args:
        metadata: what the machine is told.
        member: finds the machine in its group.
        stop: requested when the machine must leave.
        clock: seconds, monotonic.
        pause: seconds between two looks.
    """

    def __init__(
        self,
        metadata: Metadata,
        member: Callable[[str], Member | None],
        stop: Stop,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: float = PAUSE,
    ) -> None:
        self._metadata = metadata
        self._find = member
        self._stop = stop
        self._clock = clock
        self._pause = pause
        self._member: Member | None = None
        self._working = False
        self._idle_since = clock() - IDLE
        self._protected = False
        self._beaten = clock() - BEAT
        self._told = False
        self._asked = False
        self._joined = False
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leaving", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def load(self, running: int) -> None:
        """So many builds are running. Any number of times; the group is told only of a change, and not each one."""
        if self._working and not running:
            self._idle_since = self._clock()
        self._working = running > 0
        self._wake.set()

    def go(self, why: str) -> bool:
        """Ask the group to take this machine away, and begin to drain; False if there is none or it does not agree.

        From any thread but the watcher's.
        """
        if self._member is None or self._told:
            return False
        try:
            self._member.leave()
        except Exception as error:  # noqa: BLE001 - at its smallest size it refuses, throttled it does too
            _log.info("the group keeps this machine", reason=why, error=str(error))
            return False
        self._asked = True
        self._leave(why)
        return True

    def finish(self) -> None:
        """All work has ended: give up protection, and tell the group that it need not wait."""
        self._over.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._member is None:
            return
        if self._protected:
            self._try("protection given up", self._protect, False)
        try:
            if self._is_waited_for():
                self._try("lifecycle action completed", self._member.ready_to_go)
        except NoMetadata as error:
            _log.warning("the metadata service does not answer", error=str(error))

    def look(self) -> None:
        """One look, and what follows from it; raises `NoMetadata`."""
        if why := self._metadata.notice():
            self._leave(why)
        self._settle_protection()
        if self._told and self._member and self._metadata.terminating() and self._clock() - self._beaten >= BEAT:
            self._beaten = self._clock()
            self._try("lifecycle heartbeat", self._member.still_here)

    def _run(self) -> None:
        instance = self._instance()
        while instance and not self._over.is_set():
            if not self._joined:
                self._join_group(instance)
            try:
                self.look()
            except NoMetadata as error:
                _log.warning("the metadata service does not answer", error=str(error))
            self._wake.wait(self._pause)
            self._wake.clear()

    def _instance(self) -> str | None:
        """None off EC2. A service that is slow once, on a machine that is busy booting, is not taken for that."""
        for _ in range(TRIES):
            try:
                return self._metadata.instance()
            except NoMetadata:
                if self._over.wait(self._pause):
                    break
        return None

    def _is_waited_for(self) -> bool:
        """Whether the group waits for us. If we asked it to, it will in a moment."""
        deadline = self._clock() + AGREED if self._asked else 0.0
        while not (found := self._metadata.terminating()) and self._clock() < deadline:
            time.sleep(min(1.0, self._pause))
        return found

    def _join_group(self, instance: str) -> None:
        """Again at the next look if it fails: many machines that boot at once may be throttled."""
        try:
            self._member = self._find(instance)
            self._joined = True
        except Exception as error:  # noqa: BLE001 - without its group the machine can still be told to leave
            _log.warning("the group of this machine is not known", instance=instance, error=str(error))

    def _leave(self, why: str) -> None:
        if not self._told:
            self._told = True
            _log.info("leaving", reason=why)
            if not self._stop.requested.is_set():
                self._stop.request()

    def _settle_protection(self) -> None:
        wanted = self._working or self._clock() - self._idle_since < IDLE
        if self._member and wanted != self._protected:
            self._try("protected" if wanted else "protection given up", self._protect, wanted)

    def _protect(self, wanted: bool) -> None:
        if self._member:
            self._member.protect(wanted)
            self._protected = wanted

    def _try(self, what: str, call: Callable[..., None], *arguments: object) -> None:
        """Throttled or refused: it is tried again at the next look, and nothing else waits for it."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("the group was not told", wanted=what, error=str(error))
        else:
            _log.info(what)
