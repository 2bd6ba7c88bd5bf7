"""Apps that once failed: what a builder alone decides of them. `make cases` drops all of them on a local stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from building import make_parts, open_index
from cases import Case, cases, zipped

from auto_lambda.errors import AppError
from auto_lambda.runtimes import newest_first
from auto_lambda.tools import interpreters
from builder.compose import Parts
from builder.pipeline import build_app
from builder.protocol.messages import AppRequest
from builder.sandbox.sandbox import IndexAccess, PlainSandbox

PYTHONS = newest_first(tuple(interpreters()))
DECIDED = [one for one in cases() if not one.deploy and not one.waits]


@dataclass
class Listener:
    """Keeps the warnings."""

    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def say(self, text: str) -> None:
        pass

    step = recognised = say


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with open_index() as index:
        access = IndexAccess(Path(index.socket), index.environment)
        yield make_parts(tmp_path_factory.mktemp("actions"), PlainSandbox(access), index=index)


@pytest.mark.parametrize("case", DECIDED, ids=lambda case: case.name)
def test_a_case(tmp_path: Path, parts: Parts, case: Case) -> None:
    if not case.absent():
        pytest.skip("this machine has what the case misses")
    (tmp_path / "files").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "app.zip").write_bytes(zipped(case, tmp_path / "files"))
    listener = Listener()
    request = AppRequest(name=case.app, stage="dev", python=PYTHONS[0], pythons=list(PYTHONS), today="2026-11-28")
    file = os.open(tmp_path / "app.zip", os.O_RDONLY)
    ended, told = "live", ""
    try:
        package = build_app(request, file, parts, tmp_path / "work", cast(Any, listener))
    except AppError as error:
        ended, told = error.code.value, f"{error.message}\n{error.hint}"
    told = "\n".join([told, *listener.warnings])
    assert ended == case.expect, told
    assert not case.lacks(told), told
    if ended == "live":
        assert case.python in (None, package.built.source.python)
        assert not [line for line in case.lock if line not in (package.built.lock or "")]
