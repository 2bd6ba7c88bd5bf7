"""Parsers of an upload's text, and of what its builds print, take time in proportion to its length.

Each gets worst cases that double in size up to a megabyte. The ratio of two CPU times of one run is compared, never a
time itself, and a quadratic parser already fails at a size at which it ends soon.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from auto_lambda.errors import AppError
from builder.dependencies import foreign_manifests, requirement_lines
from builder.dependencies.uv import BuildTarget
from builder.dependencies.uv_errors import explain
from builder.diagnosis.import_errors import remedy
from builder.diagnosis.python2 import looks_like_python2
from builder.diagnosis.tracebacks import last_lines
from builder.frameworks.zappa import events
from builder.frameworks.zappa.settings import StageSettings
from builder.source import documents
from builder.source.settings import read_zappa

SMALLEST, LARGEST = 8 * 1024, 1024 * 1024  # bytes
REPEATS = 3
NOISE = 0.02  # CPU seconds: of less, a ratio says nothing
TARGET = cast("BuildTarget", type("BuildTarget", (), {"python": "3.12", "architecture": "x86_64"}))


def cpu_seconds(parse: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    with contextlib.suppress(AppError):
        parse(text)
    return time.process_time() - began


def assert_linear(parse: Callable[[str], object], worst: Callable[[int], str]) -> None:
    def best(size: int) -> float:
        text = worst(size)
        assert len(text) > size * 0.8
        return min(cpu_seconds(parse, text) for _ in range(REPEATS))

    size, seconds = SMALLEST, best(SMALLEST)
    while size < LARGEST:
        size, before = size * 2, seconds
        seconds = best(size)
        assert seconds < 3 * max(before, NOISE), f"{seconds:.2f} s for {size} bytes, {before:.2f} s for half of them"


def repeated(part: str, *, start: str = "", end: str = "") -> Callable[[int], str]:
    return lambda size: start + part * (size // len(part)) + end


def numbered(form: str) -> Callable[[int], str]:
    return lambda size: "".join(form.format(number) for number in range(size // len(form)))


REQUIREMENTS = {
    "spaces before what is no comment": repeated(" ", start="a", end="b"),
    "spaces after an option": repeated(" ", start="-e", end="b"),
    "spaces before an option's value": repeated(" ", start="--hash", end="x"),
    "a long option": repeated("-a", start="-"),
    "spaces in a path": repeated(" ", start="./a", end="b"),
    "brackets in a path": repeated("[", start="./a"),
    "spaced brackets in a path": repeated(" [", start="./a", end="]"),
    "brackets": repeated("[", start="a", end="/"),
    "spaces in extras": repeated(" ", start="a[", end="]"),
    "spaces before a semicolon": repeated(" ", start="a==1.*", end=";"),
    "spaces before a hash": repeated(" ", start="a==1", end="--hash=x"),
    "hashes on one line": repeated(" --hash=sha256:0", start="a==1"),
    "hashes of one name": numbered("a==1 --hash=sha256:{:08}" + " " * 480 + "\n"),
    "continuations": repeated("\\\n", start="a"),
    "NULs": repeated("\0", end="a"),
    "steps upwards": repeated("../", start="./"),
    "steps downwards": repeated("a/", start="./"),
    "open markers": repeated("(", start="a; "),
}


@pytest.mark.parametrize("worst", REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_requirements(tmp_path: Path, worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: requirement_lines.parse(text, "requirements.txt", tmp_path, tmp_path), worst)


PYPROJECT = {
    "a dotted key": repeated(".a", start="a", end=" = 1"),
    "a dotted table": repeated(".a", start="[a", end="]"),
    "operators without an end": repeated(
        "<", start="[tool.poetry.dependencies]\na.version='1'\na.python='''", end="x\ny'''"
    ),
    "spaces in a version": repeated(
        " ", start="[tool.poetry.dependencies]\na.version='1'\na.python='''<", end="x\ny'''"
    ),
    "many sources": lambda size: (
        "[project]\ndependencies = [\n"
        + "".join(f"'a{n}',\n" for n in range(size // 4000))
        + "]\n[tool.uv.sources]\n"
        + "".join(f"b{n:08} = {{{' ' * 500}index = 'x'}}\n" for n in range(size // 520))
    ),
}


@pytest.mark.parametrize("worst", PYPROJECT.values(), ids=PYPROJECT)
def test_pyproject(tmp_path: Path, worst: Callable[[int], str]) -> None:
    path = tmp_path / "pyproject.toml"

    def parse(text: str) -> None:
        path.write_text(text)
        foreign_manifests.pyproject(path, tmp_path, lambda _: True)

    assert_linear(parse, worst)


def test_poetry_lock_with_one_name_many_times(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    path = tmp_path / "poetry.lock"

    def parse(text: str) -> None:
        path.write_text(text)
        foreign_manifests.poetry_lock(path, tmp_path)

    package = "[[package]]\nname = 'a'\nversion = '1'\nfiles = [{{hash = '{:08}'}}]\n"
    assert_linear(parse, numbered(package + "#" * 400 + "\n"))


UV_OUTPUT = {
    "empty lines": repeated("\n"),
    "lines of signs": repeated("  \u00d7\n"),
    "builds without a name's end": repeated("Building `\n", end="x"),
    "spaces": repeated(" ", end="x"),
    "nobody's packages": repeated("Because "),
    "addresses": repeated(" @ file://", start="error: Building `", end="`"),
    "errors": repeated("error: x\n"),
    "causes": repeated("  cause: Failed to build `x\n", start="error: x\n"),
    "continued lines": repeated("         x\n", start="error: x\n"),
    "a long address": repeated("x", start="error: Failed to fetch: http://"),
}


@pytest.mark.parametrize("worst", UV_OUTPUT.values(), ids=UV_OUTPUT)
def test_output_of_uv(worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: explain(text, "requirements.txt", TARGET), worst)


DIAGNOSED = {
    "literals": repeated("invalid decimal literal "),
    "exceptions": repeated(",a", start="except a", end="!"),
    "spaces": repeated(" ", start="except a,"),
    "backticks": repeated("`"),
    "digits": repeated("0"),
    "one word": repeated("a", end=": cannot open shared object file"),
    "versions": repeated("version `(GLIBC_"),
    "frames": repeated('  File "', end='", line 1'),
    "lines of a frame": repeated('", line ', start='  File "', end="x"),
}


@pytest.mark.parametrize("worst", DIAGNOSED.values(), ids=DIAGNOSED)
def test_messages_and_tracebacks(worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: looks_like_python2(text, text), worst)
    assert_linear(lambda text: remedy(text), worst)
    assert_linear(lambda text: last_lines(text, {Path("/app"): ""}), worst)


def test_settings_that_extend_one_another(tmp_path: Path) -> None:
    def parse(text: str) -> None:
        (tmp_path / "zappa_settings.json").write_text(text[: documents.MAX_BYTES])
        read_zappa(tmp_path).stage("s0")

    def worst(size: int) -> str:
        stages = min(size, documents.MAX_BYTES) // 34
        chain = ", ".join(f'"s{n}": {{"extends": "s{(n + 1) % stages}"}}' for n in range(stages))
        return f"{{{chain}}}".ljust(size)

    assert_linear(parse, worst)


def test_filters_of_one_topic() -> None:
    def parse(text: str) -> None:
        source = {"arn": "arn:aws:sns:us-east-1:123456789012:t", "filters": {"k": text.split(",")}}
        events.event_source_parts(StageSettings({"events": [{"function": "a.b", "event_source": source}]}))

    assert_linear(parse, numbered("value-{:08},"))
