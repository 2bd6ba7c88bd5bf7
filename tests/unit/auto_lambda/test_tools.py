from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from auto_lambda import tools
from auto_lambda.tools import ToolEnvironments, ToolError, cache_folder, exclusive, interpreters, uv_executable

SIX = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n"


@pytest.fixture
def minor() -> str:
    return next(iter(interpreters()))


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    (folder / "small.txt").write_text(SIX)
    (folder / "wrong.txt").write_text(SIX.replace("4721", "0000"))
    monkeypatch.setattr(tools, "LOCKS", folder)
    return folder


def test_the_cache_is_where_the_setting_says_else_with_the_users() -> None:
    assert cache_folder({"AUTO_LAMBDA_CACHE": "/c"}) == Path("/c")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/auto-lambda")
    assert cache_folder({}) == Path.home() / ".cache" / "auto-lambda"


def test_interpreters_are_real_and_of_the_minor_they_are_filed_under() -> None:
    for minor, path in interpreters().items():
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        assert told.startswith(f"Python {minor}.")


def test_uv_is_the_one_installed_with_us() -> None:
    assert subprocess.run([uv_executable(), "--version"], check=False, capture_output=True).returncode == 0


def test_an_environment_has_what_its_lock_says_and_is_made_once(tmp_path: Path, locks: Path, minor: str) -> None:
    environments = ToolEnvironments(tmp_path / "tools")
    assert environments.made("small") == {}
    python = environments.python("small", minor)
    assert environments.made("small") == {minor: python}
    script = "import six, sys; print(six.__version__, sys.version_info[:2] == tuple(map(int, sys.argv[1].split('.'))))"
    told = subprocess.run([python, "-I", "-c", script, minor], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["1.17.0", "True"]
    made = python.stat().st_mtime_ns
    assert environments.python("small", minor) == python
    assert python.stat().st_mtime_ns == made
    (locks / "small.txt").write_text(SIX + "# changed\n")
    assert environments.python("small", minor) != python


def test_a_failed_installation_is_told_and_leaves_no_environment(tmp_path: Path, locks: Path, minor: str) -> None:
    environments = ToolEnvironments(tmp_path / "tools")
    for _ in range(2):
        with pytest.raises(ToolError, match="six"):
            environments.python("wrong", minor)


def test_a_missing_interpreter_is_told_with_those_there_are(tmp_path: Path, locks: Path, minor: str) -> None:
    with pytest.raises(ToolError, match=minor):
        ToolEnvironments(tmp_path).python("small", "3.99")


def test_the_lock_file_lets_one_in_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        with exclusive(tmp_path / "lock"):
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.005)
            inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
