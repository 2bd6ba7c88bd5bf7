"""Apps that once failed: what a builder alone decides of them. `make cases` drops all of them on a local stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from built_cases import build_case, builder_parts
from cases import Case, cases, zipped
from following import followed

from builder.compose import Parts

DECIDED = [one for one in cases() if not one.deploy and not one.waits]
FAILING = [one for one in DECIDED if one.expect != "live"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with builder_parts(tmp_path_factory.mktemp("actions")) as parts:
        yield parts


def made(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("case", DECIDED, ids=lambda case: case.name)
def test_a_case(tmp_path: Path, parts: Parts, case: Case) -> None:
    if not case.absent():
        pytest.skip("this machine has what the case misses")
    ended = build_case(case, zipped(case, made(tmp_path / "files")), parts, made(tmp_path / "work"))
    assert ended.code == case.expect, ended.told
    assert not case.lacks(ended.told), ended.told
    if ended.package:
        assert case.python in (None, ended.package.built.source.python)
        assert not [line for line in case.lock if line not in (ended.package.built.lock or "")]


@pytest.mark.parametrize("case", FAILING, ids=lambda case: case.name)
def test_who_follows_the_hint_goes_live_or_fails_of_something_else(tmp_path: Path, parts: Parts, case: Case) -> None:
    if not case.absent():
        pytest.skip("this machine has what the case misses")
    ended = build_case(case, zipped(case, made(tmp_path / "files")), parts, made(tmp_path / "work"))
    files = followed(case.files, ended.message, ended.hint)
    if case.zip_of:  # 'drop that one'
        files = {**case.files, "zappa_settings.json": '{"dev": {"app_function": "app.app"}}'}
    assert files is not None, f"nobody can follow: {ended.hint}"
    content = zipped(replace(case, zip_of=""), made(tmp_path / "again"), files)
    again = build_case(case, content, parts, made(tmp_path / "more"))
    assert again.code != ended.code or again.message != ended.message, again.told
