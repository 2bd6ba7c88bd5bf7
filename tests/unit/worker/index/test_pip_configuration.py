"""pip is asked what its configuration says: once, and again when a file of it has changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from worker.index.hosts import discover
from worker.index.pip_configuration import PipConfiguration, _pip


class Pip:
    """The real pip, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun = threading.Event()

    def __call__(self, environ: Mapping[str, str]) -> str | None:
        self.asked += 1
        self.begun.set()
        return _pip(environ)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "pip").mkdir()
    return tmp_path


def configuration(home: Path) -> tuple[PipConfiguration, Pip]:
    pip = Pip()
    return PipConfiguration({"XDG_CONFIG_HOME": str(home), "HOME": str(home)}, pip), pip


def write(home: Path, host: str, age: float = 60.0) -> None:
    """A file that was written so many seconds ago."""
    file = home / "pip" / "pip.conf"
    file.write_text(
        f"[global]\nindex-url = https://{host}/simple\nextra-index-url =\n  https://x.example/a\n  https://y.example/b\n"
    )
    written = time.time() - age
    os.utime(file, (written, written))


def test_a_file_that_changes_while_pip_reads_it_is_read_again(home: Path) -> None:
    write(home, "one.example")

    def ask(environ: Mapping[str, str]) -> str | None:
        told = _pip(environ)
        write(home, "two.example", age=0)
        return told

    options = PipConfiguration({"XDG_CONFIG_HOME": str(home), "HOME": str(home)}, ask)
    assert options.options()["index-url"] == "https://one.example/simple"
    assert options.options()["index-url"] == "https://two.example/simple"


def test_a_pip_that_names_no_files_is_asked_each_time(home: Path) -> None:
    write(home, "one.example")
    pip = Pip()
    options = PipConfiguration({"XDG_CONFIG_HOME": str(home), "HOME": str(home), "PIP_QUIET": "1"}, pip)
    for asked in (1, 2):
        assert options.options()["index-url"] == "https://one.example/simple"
        assert pip.asked == asked


def test_options_come_from_pips_file(home: Path) -> None:
    write(home, "one.example")
    options, _ = configuration(home)
    assert options.options()["index-url"] == "https://one.example/simple"
    assert options.options()["extra-index-url"].split() == ["https://x.example/a", "https://y.example/b"]


def test_variables_are_not_among_them(tmp_path: Path) -> None:
    environ = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "https://one.example/simple", "HOME": str(tmp_path)}
    assert PipConfiguration(environ).options() == {}


def test_pip_is_asked_once_as_long_as_nothing_changes(home: Path) -> None:
    write(home, "one.example")
    options, pip = configuration(home)
    assert {options.options()["index-url"] for _ in range(5)} == {"https://one.example/simple"}
    assert pip.asked == 1


def test_a_changed_a_new_and_a_removed_file_are_seen(home: Path) -> None:
    options, pip = configuration(home)
    before = dict(options.options())
    write(home, "one.example")
    assert options.options()["index-url"] == "https://one.example/simple"
    write(home, "two.example.org")
    assert options.options()["index-url"] == "https://two.example.org/simple"
    (home / "pip" / "pip.conf").unlink()
    assert options.options() == before
    assert pip.asked == 4


def test_a_pip_that_failed_is_asked_again(home: Path) -> None:
    write(home, "one.example")
    failures = [None]
    environ = {"XDG_CONFIG_HOME": str(home), "HOME": str(home)}
    options = PipConfiguration(environ, lambda environ: failures.pop() if failures else _pip(environ))
    assert options.options() == {}
    assert options.options()["index-url"] == "https://one.example/simple"


def test_what_it_says_decides_where_the_index_is(home: Path) -> None:
    write(home, "one.example")
    options, pip = configuration(home)
    for _ in range(3):
        found = discover({"HOME": str(home), "UV_NO_CONFIG": "1"}, pip_options=options.options)
        assert found.urls[0] == "https://one.example/simple"
    assert pip.asked == 1


def test_a_build_finds_what_was_read_ahead(home: Path) -> None:
    write(home, "one.example")
    options, pip = configuration(home)
    options.read_ahead()
    assert pip.begun.wait(60)
    assert options.options()["index-url"] == "https://one.example/simple"
    assert pip.asked == 1
