"""Build a case in this process, as far as a builder goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from building import make_parts, open_index
from cases import Case

from auto_lambda.errors import AppError
from auto_lambda.model import GuessedSettings
from auto_lambda.runtimes import newest_first
from auto_lambda.tools import interpreters
from builder.compose import Parts
from builder.pipeline import ProvenApp, build_app
from builder.protocol.messages import AppRequest
from builder.sandbox.sandbox import IndexAccess, PlainSandbox

PYTHONS = newest_first(tuple(interpreters()))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a build ended: ``live`` or the error's code, with all that its uploader reads of it."""

    code: str
    message: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    package: ProvenApp | None = None

    @property
    def told(self) -> str:
        return "\n".join([self.message, self.hint, *self.warnings])


@dataclass
class _Listener:
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def say(self, text: str) -> None:
        pass

    step = recognised = say

    def guessed(self, settings: GuessedSettings) -> None:
        pass


@contextmanager
def builder_parts(folder: Path) -> Iterator[Parts]:
    """A builder's parts with the way to this machine's indexes."""
    with open_index() as index:
        access = IndexAccess(Path(index.socket), index.environment)
        yield make_parts(folder, PlainSandbox(access), index=index)


def build_case(case: Case, content: bytes, parts: Parts, work: Path) -> Ended:
    """Build a zip; ``work`` is an empty folder."""
    (work / "app.zip").write_bytes(content)
    (work / "built").mkdir()
    listener = _Listener()
    request = AppRequest(name=case.app, stage="dev", python=PYTHONS[0], pythons=list(PYTHONS), today="2026-11-28")
    file = os.open(work / "app.zip", os.O_RDONLY)
    try:
        package = build_app(request, file, parts, work / "built", cast(Any, listener))
    except AppError as error:
        return Ended(error.code.value, error.message, error.hint or "", tuple(listener.warnings))
    return Ended("live", warnings=tuple(listener.warnings), package=package)
