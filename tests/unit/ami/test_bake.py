"""What the image brings along is used, and never made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami import bake
from auto_lambda import tools
from auto_lambda.tools import ToolEnvironments, interpreters


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Environments that were made: by a stand-in for uv that only makes the folder."""
    calls: list[str] = []

    def uv(*arguments: str) -> None:
        if arguments[0] == "venv":
            calls.append(Path(arguments[-1]).name)
            Path(arguments[-1], "bin").mkdir(parents=True)

    monkeypatch.setattr(tools, "_uv", uv)
    return calls


def test_every_environment_of_a_worker_is_baked_for_every_interpreter(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bake", str(tmp_path)])
    assert bake.main() == 0
    baked = {path.name.rpartition("-")[0] for path in tmp_path.iterdir() if path.is_dir()}
    assert {f"{name}-{minor}" for name in ("compiler", "runtime") for minor in interpreters()} <= baked
    assert not any(name.startswith(("embedded-aws", "installation")) for name in baked)


def test_a_baked_environment_is_found_and_not_made(tmp_path: Path, made: list[str]) -> None:
    minor = next(iter(interpreters()))
    baked = ToolEnvironments(tmp_path / "baked", baked=None).python("runtime", minor)
    made.clear()
    found = ToolEnvironments(tmp_path / "cache", baked=tmp_path / "baked").python("runtime", minor)
    assert (found, made) == (baked, [])


def test_what_was_not_baked_is_made_in_the_cache(tmp_path: Path, made: list[str]) -> None:
    minor = next(iter(interpreters()))
    found = ToolEnvironments(tmp_path / "cache", baked=tmp_path / "baked").python("runtime", minor)
    assert found.is_relative_to(tmp_path / "cache")
    assert not (tmp_path / "baked").exists()
