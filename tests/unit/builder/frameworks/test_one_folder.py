from __future__ import annotations

from pathlib import Path

import pytest

from builder.frameworks.one_folder import join_packages


def write(folder: Path, *names: str, text: str = "") -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text or name)
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_namespace_spans_both_folders_without_an_added_init(tmp_path: Path) -> None:
    written = write(tmp_path / "written", "acme/web/__init__.py", "acme/web/app.py", "acme/tools/run.py")
    code = write(tmp_path / "code", *files(written), "acme/__init__.py", "acme/tools/__init__.py")
    site = write(tmp_path / "site", "acme/common/__init__.py", "acme/tools/help.py")

    join_packages(code, site, written)

    assert files(code) == {"acme/web/__init__.py", "acme/web/app.py", "acme/tools/run.py"}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"acme/__init__.py", "acme/web.py"}, {"acme/common/__init__.py"}),
        ({"acme/web.py"}, {"acme/__init__.py", "acme/common/__init__.py"}),
        ({"acme/__init__.py", "acme/web.py"}, {"acme/__init__.py", "acme/common/__init__.py"}),
    ],
    ids=["package and namespace", "namespace and package", "two packages"],
)
def test_of_a_package_the_code_gets_what_it_lacks(tmp_path: Path, mine: set[str], theirs: set[str]) -> None:
    code, site = write(tmp_path / "code", *mine, text="mine"), write(tmp_path / "site", *theirs, text="theirs")
    written = write(tmp_path / "written", *mine, text="mine")

    join_packages(code, site, written)

    assert files(code) == mine | theirs
    assert all((code / name).read_text() == "mine" for name in mine)


def test_an_init_that_was_added_gives_way_to_the_packages_own(tmp_path: Path) -> None:
    written = write(tmp_path / "written", "acme/web.py")
    code = write(tmp_path / "code", "acme/web.py", "acme/__init__.py", text="mine")
    site = write(tmp_path / "site", "acme/__init__.py", text="theirs")

    join_packages(code, site, written)

    assert (code / "acme/__init__.py").read_text() == "theirs"


def test_other_packages_links_and_compiled_files_stay_apart(tmp_path: Path) -> None:
    code = write(tmp_path / "code", "shop/__init__.py", "acme/__init__.py", "app.py")
    site = write(tmp_path / "site", "flask/__init__.py", "acme/__pycache__/x.pyc", "app.py")
    (site / "acme/link.py").symlink_to("/etc/passwd")
    before = files(code)

    join_packages(code, site)
    join_packages(code, None)

    assert files(code) == before
