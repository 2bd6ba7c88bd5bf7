"""The corpus of real projects: how their zips are made of source distributions, and how drops of them are scored."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from corpus import MANIFEST, Project, Sdist, assembled, fetched, projects
from corpus_scores import BEGIN, END, Ended, Score, figures, tables, written

from auto_lambda.errors import Code

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "compatibility.md"
SDIST = Sdist("shop==1.0", "0" * 64, "MIT")
ALL = list(projects())


def tarball(files: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"shop-1.0/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def zip_file(files: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"shop-1.0/{name}", text)
    return stream.getvalue()


def score(dropped: str, followed: str | None = None, told: str = "", **project: object) -> Score:
    of = Project("shop", "chalice", SDIST, **project)  # type: ignore[arg-type]
    return Score(of, Ended(dropped, told), Ended(followed) if followed else None)


@pytest.mark.parametrize("pack", [tarball, zip_file])
def test_a_project_is_taken_out_of_its_folder(pack: object) -> None:
    sdist = pack({"app/app.py": "1", "app/lib/a.py": "2", "setup.py": "3"})  # type: ignore[operator]
    assert assembled(Project("shop", "chalice", SDIST, take={".": "app"}), sdist) == {"app.py": b"1", "lib/a.py": b"2"}


def test_single_files_get_the_names_that_they_need() -> None:
    project = Project("shop", "chalice", SDIST, take={"app.py": "a/one.py", "templates": "b"})
    files = assembled(project, tarball({"a/one.py": "1", "b/x.html": "2"}))
    assert files == {"app.py": b"1", "templates/x.html": b"2"}


def test_without_more_words_the_whole_distribution_is_dropped() -> None:
    assert assembled(Project("shop", "chalice", SDIST), tarball({"app.py": "1", "a/b.py": "2"})).keys() == {
        "app.py",
        "a/b.py",
    }


def test_a_project_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no missing"):
        assembled(Project("shop", "chalice", SDIST, take={".": "missing"}), tarball({"app.py": "1"}))


@pytest.mark.parametrize(
    ("page", "number", "code"),
    [
        ("text\n```python\na = 1\n```\nmore\n```\nb = 2\n```\n", 2, "b = 2\n"),
        ("text\n\n.. code-block:: python\n\n    a = 1\n\n    b = 2\n\nmore\n", 1, "a = 1\n\nb = 2\n"),
        ("text\n\n.. code:: python\n\n    def a():\n\treturn 1\n\nmore\n", 1, "def a():\n    return 1\n"),
        ("1. text\n   ```py\n   a = 1\n   ```\n", 1, "a = 1\n"),
    ],
)
def test_code_is_taken_from_a_readme(page: str, number: int, code: str) -> None:
    project = Project("shop", "chalice", SDIST, take={"app.py": f"README#{number}"})
    assert assembled(project, tarball({"README": page}))["app.py"].decode().rstrip() == code.rstrip()


def test_what_does_not_belong_to_a_project_is_left() -> None:
    project = Project("shop", "chalice", SDIST, leave=("tests/*",))
    assert assembled(project, tarball({"app.py": "1", "tests/a/b.py": "2"})).keys() == {"app.py"}


def test_the_placeholders_of_a_template_are_filled() -> None:
    project = Project("shop", "chalice", SDIST, fill={"{{name}}": "mine"})
    assert assembled(project, tarball({"{{name}}/app.py": "app = '{{name}}'"})) == {"mine/app.py": b"app = 'mine'"}


def test_the_frameworks_own_tools_write_settings() -> None:
    project = Project("shop", "zappa", SDIST, requires=("flask",), chalice="mine", zappa={"app_function": "app.app"})
    files = assembled(project, tarball({"app.py": "1"}))
    assert files["requirements.txt"] == b"flask\n"
    assert json.loads(files[".chalice/config.json"])["app_name"] == "mine"
    assert json.loads(files["zappa_settings.json"])["dev"]["app_function"] == "app.app"
    assert json.loads(files["zappa_settings.json"])["dev"]["project_name"] == "shop"


def test_what_was_fetched_once_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / SDIST.sha256).mkdir()
    (tmp_path / SDIST.sha256 / "shop-1.0.tar.gz").write_bytes(b"sdist")
    assert fetched(SDIST, tmp_path).read_bytes() == b"sdist"


@pytest.mark.parametrize(
    ("one", "right"),
    [
        (score("live"), True),
        (score("live", runs=False, expect="compile-failed"), False),
        (score("compile-failed", "live"), True),
        (score("compile-failed", "app-does-not-import"), False),
        (score("compile-failed"), False),
        (score("syntax-error", told="Python 2", runs=False, expect="syntax-error", words=("Python 2",)), True),
        (score("syntax-error", told="no", runs=False, expect="syntax-error", words=("Python 2",)), False),
        (score("compile-failed", runs=False, expect="syntax-error"), False),
        (score("ours"), False),
    ],
)
def test_the_right_word(one: Score, right: bool) -> None:
    assert one.right is right


def test_figures_count_what_can_run_and_what_is_ours() -> None:
    scores = [
        score("live"),
        score("compile-failed", "live"),
        score("ours"),
        score("syntax-error", runs=False, expect="syntax-error"),
    ]
    assert [(one.reached, one.of) for one in figures(scores)] == [(1, 3), (2, 3), (3, 4), (3, 4)]
    assert not any(one.good for one in figures(scores))
    assert all(one.good for one in figures([score("live")]))


def test_a_row_says_how_both_drops_ended() -> None:
    rows = tables(
        [score("compile-failed", "live"), score("syntax-error", runs=False, expect="syntax-error", why="Python 2")]
    )
    assert "| shop | chalice | `shop==1.0` | [`compile-failed`](errors.md#compile-failed) | live | yes |" in rows
    assert "| [`syntax-error`](errors.md#syntax-error) | cannot run: Python 2 | yes |" in rows


def test_only_the_scores_of_the_page_are_replaced() -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"
    assert written(page, "new") == f"before\n{BEGIN}\nnew\n{END}after\n"
    assert written(written(page, "new"), "new") == written(page, "new")
    with pytest.raises(ValueError, match="no place"):
        written("before", "new")


@pytest.mark.parametrize("project", ALL, ids=lambda one: one.name)
def test_each_project_says_where_it_is_from_and_what_comes_of_it(project: Project) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", project.name)
    assert re.fullmatch(r"[a-z0-9-]+==[\w.]+", project.sdist.release)
    assert re.fullmatch(r"[0-9a-f]{64}", project.sdist.sha256)
    assert re.fullmatch(r"[\w.-]+", project.sdist.licence)
    assert project.expect == "live" or project.expect in {one.value for one in Code}
    assert project.runs or (project.why and project.expect != "live" and project.words)


def test_no_distribution_is_named_in_vain() -> None:
    assert set(tomllib.loads(MANIFEST.read_text())["sdists"]) == {
        table["sdist"] for name, table in tomllib.loads(MANIFEST.read_text()).items() if name != "sdists"
    }


def test_there_are_forty_and_the_page_has_the_scores_of_all() -> None:
    rows = re.findall(r"(?m)^\| ([a-z0-9-]+) \| [^|]+ \| `[^`|]+` \|", PAGE.read_text())
    assert rows == [one.name for one in ALL]
    assert len(ALL) >= 40
