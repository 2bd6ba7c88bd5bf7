from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.packing import CannotPack, zip_folder


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def packed(folder: Path, to: Path) -> list[str]:
    zip_folder(folder, to)
    with zipfile.ZipFile(to) as archive:
        return archive.namelist()


def test_the_apps_own_files_are_packed_and_hidden_settings_too(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py", "requirements.txt", ".chalice/config.json", "lib/a.py", ".hidden")
    assert packed(app, tmp_path / "a.zip") == [
        ".chalice/config.json",
        ".hidden",
        "app.py",
        "lib/a.py",
        "requirements.txt",
    ]


@pytest.mark.parametrize(
    "name",
    [
        ".git/config", "sub/.git", ".venv/bin/python", "sub/__pycache__/a.pyc", "a.pyc", "node_modules/x/y.js",
        ".DS_Store", "shop.egg-info/PKG-INFO", ".chalice/deployed/dev.json", ".chalice/deployments/a.zip",
        ".mypy_cache/x",
    ],
)  # fmt: skip
def test_what_is_no_part_of_the_app_is_left_out(tmp_path: Path, name: str) -> None:
    assert packed(tree(tmp_path / "app", "app.py", name), tmp_path / "a.zip") == ["app.py"]


def test_a_virtual_environment_is_known_by_its_mark_whatever_its_name(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py", "my-env/pyvenv.cfg", "my-env/lib/x.py")
    assert packed(app, tmp_path / "a.zip") == ["app.py"]


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py", ".env", "dist/a.js", ".git/config")
    (app / ".gitignore").write_text("dist/\n")
    told = zip_folder(app, tmp_path / "a.zip")
    assert told.files == (".gitignore", "app.py")
    assert told.left_out == {"secrets": (".env",), "gitignore": ("dist/",), "other": (".git/",)}


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one", "b.py", "a/c.py"), tree(tmp_path / "other", "a/c.py", "b.py")
    os.utime(other / "b.py", (1, 1))
    zip_folder(one, tmp_path / "1.zip")
    zip_folder(other, tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_link_to_a_file_is_packed_as_that_file(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py")
    (app / "copy.py").symlink_to("app.py")
    packed(app, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("copy.py") == b"app.py"


def test_a_link_to_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py", "lib/a.py")
    (app / "linked").symlink_to("lib")
    with pytest.raises(CannotPack, match="linked is a link to a folder"):
        zip_folder(app, tmp_path / "a.zip")


def test_a_broken_link_is_told(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py")
    (app / "lost").symlink_to("nowhere")
    with pytest.raises(CannotPack, match="lost: No such file"):
        zip_folder(app, tmp_path / "a.zip")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "app.py")
    os.mkfifo(app / "pipe")
    with pytest.raises(CannotPack, match="pipe is neither a file nor a folder"):
        zip_folder(app, tmp_path / "a.zip")


def test_a_folder_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", ".git/config")
    with pytest.raises(CannotPack, match="contains nothing to deploy"):
        zip_folder(app, tmp_path / "a.zip")


@given(content=st.binary(max_size=2000), name=st.text(st.characters(categories=("L", "N")), min_size=1, max_size=30))
def test_whatever_is_packed_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("app")
    (folder / f"{name}.dat").write_bytes(content)
    to = folder.with_suffix(".zip")
    zip_folder(folder, to)
    with zipfile.ZipFile(to) as archive:
        assert archive.read(f"{name}.dat") == content
