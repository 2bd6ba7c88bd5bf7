"""Notices that the machine is about to be terminated, and protects it from scale-in while it builds.

One thread polls the metadata service every few seconds. Outside EC2 it ends soon, silently.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from auto_lambda import logs
from auto_lambda.aws.metadata import Metadata, NoMetadata
from auto_lambda.daemon.service import Stop

POLL_SECONDS = 5.0  # between two polls
PROTECTION_SECONDS = 30.0  # without work before protection is removed: builds often follow one another
HEARTBEAT_SECONDS = 60.0  # between two heartbeats of the lifecycle hook
METADATA_TRIES = 5  # before we conclude that there is no metadata service
TERMINATION_SECONDS = 60.0  # that the metadata service may take to show a termination that the group has accepted

_log = logs.get("termination")


class GroupMember(Protocol):
    """The machine as a member of its Auto Scaling group; every call may raise anything."""

    def protect(self, wanted: bool) -> None: ...  # noqa: D102
    def leave(self) -> None: ...  # noqa: D102
    def replace(self) -> None: ...  # noqa: D102
    def still_here(self) -> None: ...  # noqa: D102
    def ready_to_go(self) -> None: ...  # noqa: D102


class TerminationWatcher:
    """Watches for termination, and manages scale-in protection.

    Args:
        metadata: the metadata service.
        member: finds the machine in its group.
        stop: requested when the machine is to be terminated.
        clock: seconds, monotonic.
        pause: seconds between two polls.
    """

    def __init__(
        self,
        metadata: Metadata,
        member: Callable[[str], GroupMember | None],
        stop: Stop,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: float = POLL_SECONDS,
    ) -> None:
        self._metadata = metadata
        self._find = member
        self._stop = stop
        self._clock = clock
        self._pause = pause
        self._member: GroupMember | None = None
        self._working = False
        self._idle_since = clock() - PROTECTION_SECONDS
        self._protected = False
        self._last_heartbeat = clock() - HEARTBEAT_SECONDS
        self._draining = False
        self._termination_requested = False
        self._joined = False
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="termination", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def load(self, running: int) -> None:
        """Take the number of running builds. May be called often: the group is told only of some changes."""
        if self._working and not running:
            self._idle_since = self._clock()
        self._working = running > 0
        self._wake.set()

    def leave_group(self, why: str) -> bool:
        """Ask the group to terminate this machine, and start to drain; False without a group or if it refuses.

        Call it from any thread but the watcher's.
        """
        if self._member is None or self._draining:
            return False
        try:
            self._member.leave()
        except Exception as error:  # noqa: BLE001 - the group refuses at its minimum size, or throttles
            _log.info("the group keeps this machine", reason=why, error=str(error))
            return False
        self._termination_requested = True
        self._begin_drain(why)
        return True

    def finish(self) -> None:
        """Remove protection and complete the lifecycle action, now that all work has ended."""
        self._over.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._member is None:
            return
        if self._protected:
            self._try("protection given up", self._protect, False)
        try:
            if self._draining and not self._termination_requested and not self._metadata.terminating():
                # A rebalance recommendation terminates nothing: the machine would stay in service without a worker.
                self._try("replacement requested", self._member.replace)
                self._termination_requested = True
            if self._awaits_completion():
                self._try("lifecycle action completed", self._member.ready_to_go)
        except NoMetadata as error:
            _log.warning("the metadata service does not answer", error=str(error))

    def poll(self) -> None:
        """Poll once, and act on the result; raises `NoMetadata`."""
        if why := self._metadata.notice():
            self._begin_drain(why)
        self._update_protection()
        if (
            self._draining
            and self._member
            and self._metadata.terminating()
            and self._clock() - self._last_heartbeat >= HEARTBEAT_SECONDS
        ):
            self._last_heartbeat = self._clock()
            self._try("lifecycle heartbeat", self._member.still_here)

    def _run(self) -> None:
        instance = self._instance()
        while instance and not self._over.is_set():
            if not self._joined:
                self._join_group(instance)
            try:
                self.poll()
            except NoMetadata as error:
                _log.warning("the metadata service does not answer", error=str(error))
            self._wake.wait(self._pause)
            self._wake.clear()

    def _instance(self) -> str | None:
        """Return the instance id; None outside EC2. One slow answer on a booting machine does not mean that."""
        for _ in range(METADATA_TRIES):
            try:
                return self._metadata.instance()
            except NoMetadata:
                if self._over.wait(self._pause):
                    break
        return None

    def _awaits_completion(self) -> bool:
        """Tell whether the group waits for us. After our own request it soon will."""
        deadline = self._clock() + TERMINATION_SECONDS if self._termination_requested else 0.0
        while not (found := self._metadata.terminating()) and self._clock() < deadline:
            time.sleep(min(1.0, self._pause))
        return found

    def _join_group(self, instance: str) -> None:
        """Find our group; a failure is retried at the next poll, since many booting machines may be throttled."""
        try:
            self._member = self._find(instance)
            self._joined = True
        except Exception as error:  # noqa: BLE001 - without its group the machine can still be told to stop
            _log.warning("the group of this machine is not known", instance=instance, error=str(error))

    def _begin_drain(self, why: str) -> None:
        if not self._draining:
            self._draining = True
            _log.info("leaving", reason=why)
            if not self._stop.requested.is_set():
                self._stop.request()

    def _update_protection(self) -> None:
        wanted = self._working or self._clock() - self._idle_since < PROTECTION_SECONDS
        if self._member and wanted != self._protected:
            self._try("protected" if wanted else "protection given up", self._protect, wanted)

    def _protect(self, wanted: bool) -> None:
        if self._member:
            self._member.protect(wanted)
            self._protected = wanted

    def _try(self, what: str, call: Callable[..., None], *arguments: object) -> None:
        """Make a call; a failure is retried at the next poll, and nothing else waits for it."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("the group was not told", wanted=what, error=str(error))
        else:
            _log.info(what)
