"""``auto-lambda watch``: a save that changes the zip is a drop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import BUCKET, run

from auto_lambda_cli.commands.apps import watch as module

KEY = "apps/dev/shop.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    (path / "app.py").write_text("app = 1\n")
    return path


@pytest.fixture
def dropped(s3: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The drops, each of which fails, which is no reason to end."""
    found: list[str] = []

    def ended(_store: Any, drop: Any, *_: Any) -> int:
        found.append(drop.version)
        return 1

    monkeypatch.setattr(module, "ended", ended)
    return found


def saves(monkeypatch: pytest.MonkeyPatch, folder: Path, *texts: str | None) -> None:
    def each(*_: Any, **__: Any) -> Iterator[set[Any]]:
        for text in texts:
            if text is None:
                (folder / "app.py").unlink()
            else:
                (folder / "app.py").write_text(text)
            yield set()
        raise KeyboardInterrupt

    monkeypatch.setattr("watchfiles.watch", each)


def test_each_save_that_changes_the_zip_is_dropped(
    s3: Any, dropped: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves(monkeypatch, folder, "app = 2\n", "app = 2\n", "app = 3\n")
    done = run("watch", str(folder))
    assert (done.exit_code, len(dropped)) == (130, 3)
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]
    assert {it["VersionId"] for it in versions} == set(dropped)


def test_a_folder_that_is_empty_for_a_moment_does_not_end_it(
    dropped: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves(monkeypatch, folder, None, "app = 2\n")
    done = run("watch", str(folder))
    assert (done.exit_code, len(dropped)) == (130, 2)
    assert "not deployed: " in done.stderr


@pytest.mark.parametrize(("arguments", "told"), [(["{}/nowhere"], "does not exist"), (["{}", "-n", "No"], "No")])
def test_wrong_usage(s3: Any, folder: Path, arguments: list[str], told: str) -> None:
    done = run("watch", *(it.format(folder) for it in arguments))
    assert done.exit_code == 2
    assert told in done.stderr
