"""Which files become the code zip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from builder.frameworks.chalice.code import copy_code


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def copied(root: Path, to: Path) -> dict[str, str]:
    copy_code(root, to)
    return {str(path.relative_to(to)): path.read_text() for path in to.rglob("*") if path.is_file()}


def test_app_library_and_the_content_of_vendor(tmp_path: Path) -> None:
    root = tmp_path / "app"
    make(root, "app.py", "chalicelib/a/b.json", "vendor/tool/x.py", "vendor/one.py", "other.py", ".chalice/config.json")
    assert set(copied(root, tmp_path / "code")) == {"app.py", "chalicelib/a/b.json", "tool/x.py", "one.py"}


def test_compiled_files_stay_behind(tmp_path: Path) -> None:
    root = tmp_path / "app"
    make(root, "app.py", "chalicelib/__pycache__/a.pyc", "chalicelib/a.py")
    assert set(copied(root, tmp_path / "code")) == {"app.py", "chalicelib/a.py"}


def test_the_apps_own_files_win_over_vendored_ones(tmp_path: Path) -> None:
    root = tmp_path / "app"
    make(root, "app.py", "vendor/app.py", "chalicelib/a.py", "vendor/chalicelib/a.py")
    assert copied(root, tmp_path / "code") == {"app.py": "app.py", "chalicelib/a.py": "chalicelib/a.py"}


def test_links_and_pipes_stay_behind(tmp_path: Path) -> None:
    root = tmp_path / "app"
    make(root, "app.py", "chalicelib/a.py")
    make(tmp_path, "secret", "folder/secret")
    (root / "chalicelib" / "link").symlink_to(tmp_path / "secret")
    (root / "vendor").symlink_to(tmp_path / "folder")
    os.mkfifo(root / "chalicelib" / "pipe")
    assert set(copied(root, tmp_path / "code")) == {"app.py", "chalicelib/a.py"}


def test_without_app_py(tmp_path: Path) -> None:
    with pytest.raises(AppError) as raised:
        copy_code(tmp_path, tmp_path / "code")
    assert raised.value.code == Code.COMPILE_FAILED
