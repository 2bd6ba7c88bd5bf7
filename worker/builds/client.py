"""Has uploads built, and takes what comes of it as data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from auto_lambda import logs
from builder.protocol.channel import BadMessage, WireMessage
from builder.protocol.files import copy_checked, require_plain
from builder.protocol.messages import Action, AppBuilt, AppRequest, File
from worker.builds.action_cache import Cached, Received
from worker.builds.conversation import (
    TRIES,
    BrokenOff,
    BuilderServices,
    BuildListener,
    BuildTrouble,
    Conversation,
    NoListener,
    broke_off,
)
from worker.builds.toolchain import IndexGate

MAX_CODE_BYTES = 300 * 1024 * 1024
"""Of a code zip or a layer zip; Lambda takes 250 MB unzipped."""

_log = logs.get("builder")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file whose content is what it should be; ``sha256`` in hex."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class BuiltApp:
    """What came out of a build, checked as far as data can be: sizes, hashes, shapes. The gate judges the template."""

    result: AppBuilt
    code: CheckedFile
    layer: CheckedFile | None


class Builds:
    """Has apps built.

    Args:
        services: how builders are served.
        gate: the way to the package indexes.
    """

    def __init__(self, services: BuilderServices, gate: IndexGate) -> None:
        self._services = services
        self._gate = gate

    def build(self, request: AppRequest, zip_path: Path, into: Path, listener: BuildListener) -> BuiltApp:
        """Have an upload built. A builder that breaks off is tried once more.

        Args:
            request: which app it is.
            zip_path: its zip.
            into: an empty folder for the files of the result.
            listener: hears how it goes on.

        Raises:
            AppError: the uploader can fix it.
            BuildTrouble: our side failed.
        """
        reason = ""
        with self._gate.open(listener.say) as index:
            toolchain = self._services.machine.toolchain(index)
            for _ in range(TRIES):
                try:
                    return _built(Conversation(self._services, toolchain, listener), request, zip_path, into)
                except BrokenOff as error:
                    reason = str(error)
                    _log.warning("a builder broke off", app=request.name, stage=request.stage, reason=reason)
        raise broke_off("builds this app", reason)


def check_isolation(services: BuilderServices) -> str | None:
    """Ask a builder whether it can isolate untrusted code here; return what is wrong, None if nothing is.

    Raises:
        BuildTrouble: no builder answers.
    """
    conversation = Conversation(services, services.machine.toolchain(None), NoListener())
    try:
        return _problem(conversation.perform(Action(kind="check", inputs={})))
    except (BrokenOff, BadMessage, OSError) as error:
        raise BuildTrouble(f"no builder answers: {error}") from None


def _problem(received: Received) -> str | None:
    try:
        require_plain(received.descriptors[0], received.files[0].name)
        problem = json.loads(os.pread(received.descriptors[0], 64_000, 0))["problem"]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        raise BadMessage("another answer than a check has") from None
    finally:
        for descriptor in received.descriptors:
            os.close(descriptor)
    return None if problem is None else str(problem)


def _built(conversation: Conversation, request: AppRequest, zip_path: Path, into: Path) -> BuiltApp:
    with zip_path.open("rb") as zip_file:
        result, message = conversation.build(request, zip_file.fileno())
    try:
        return _taken(result, message, into, conversation.given)
    except BadMessage as error:
        raise BrokenOff(str(error)) from None
    finally:
        message.close()


def _taken(result: AppBuilt, message: WireMessage, into: Path, given: Mapping[str, Cached]) -> BuiltApp:
    names, shared = [file.name for file in result.files], result.shared_layer
    if names not in (["code.zip"], ["code.zip", "layer.zip"]) or (shared and len(names) > 1):
        raise BadMessage("another set of files than an app has")
    if len(message.files) != len(names):
        raise BadMessage("its files did not come with it")
    code, *own = [_copied(file, at, into / file.name) for file, at in zip(result.files, message.files, strict=True)]
    return BuiltApp(result, code, _given_layer(shared, given) if shared else next(iter(own), None))


def _given_layer(key: str, given: Mapping[str, Cached]) -> CheckedFile:
    if key not in given or (kept := given[key].files.get("layer.zip")) is None:
        raise BadMessage("a layer that this build was not given")
    return CheckedFile(given[key].folder / kept.name, kept.sha256, kept.size)


def _copied(file: File, descriptor: int, to: Path) -> CheckedFile:
    to.unlink(missing_ok=True)  # from a first try
    copy_checked(descriptor, file, to, MAX_CODE_BYTES)
    return CheckedFile(to, file.sha256, file.size)
