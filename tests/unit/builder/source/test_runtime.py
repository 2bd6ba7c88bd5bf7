from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.runtimes import RUNTIMES
from builder.source.runtime import Defaults, PythonChoice, choose_python, parse_architecture, parse_minor

DEFAULTS = Defaults(python="3.12", pythons=("3.11", "3.12", "3.13"))


def choose(folder: Path, *named: str | None, defaults: Defaults = DEFAULTS) -> PythonChoice:
    return choose_python(tuple((value, f"setting {at}") for at, value in enumerate(named)), (folder,), defaults)


def refused(folder: Path, *named: str | None) -> AppError:
    with pytest.raises(AppError) as caught:
        choose(folder, *named)
    return caught.value


def requires(folder: Path, spec: str) -> None:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "shop"\nrequires-python = "{spec}"\n')


def test_the_order_of_who_decides(tmp_path: Path) -> None:
    assert choose(tmp_path).python == "3.12"
    requires(tmp_path, ">=3.13")
    assert choose(tmp_path).python == "3.13"
    (tmp_path / ".python-version").write_text("3.11.9\n")
    assert choose(tmp_path) == PythonChoice("3.11", ".python-version")
    assert choose(tmp_path).others == ()
    assert choose(tmp_path, None, "python3.13") == PythonChoice("3.13", "setting 1")
    assert choose(tmp_path, "3.12", "python3.13") == PythonChoice("3.12", "setting 0")


@pytest.mark.parametrize(
    ("spec", "python"),
    [
        (">=3.10", "3.12"), (">=3.9,<3.13", "3.12"), ("==3.11.*", "3.11"), ("~=3.12.3", "3.12"), (">=3.12.4", "3.12"),
        ("<=3.12", "3.12"), (">3.12,<4", "3.12"), ("!=3.12.*", "3.13"), ("<3.12", "3.11"), ("", "3.12"),
    ],
)  # fmt: skip
def test_requires_python_takes_the_default_if_it_may_else_the_newest(tmp_path: Path, spec: str, python: str) -> None:
    requires(tmp_path, spec)

    assert choose(tmp_path).python == python


@pytest.mark.parametrize("spec", ["<3.6", ">=3.14", ">=4", "==2.7.*"])
def test_an_unsatisfiable_requires_python_names_what_there_is(tmp_path: Path, spec: str) -> None:
    requires(tmp_path, spec)
    error = refused(tmp_path)

    assert error.code == Code.UNKNOWN_PYTHON
    assert error.hint == (
        'Choose one of: 3.11, 3.12, 3.13. Write it there, or as python = "3.13" into auto-lambda.toml, '
        "which comes first."
    )


@pytest.mark.parametrize(
    "text",
    ["not toml", *(f"[project]\nrequires-python = {value}" for value in ('"three"', "3.12", f'">=3.{"1" * 6000}"'))],
)
def test_a_broken_pyproject_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    assert refused(tmp_path).code == Code.BAD_CONFIG


@pytest.mark.parametrize("text", ["[project]\nname = 'a'", "[tool.black]\nline-length = 99", "project = 1", ""])
def test_a_pyproject_that_says_nothing_leaves_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    assert choose(tmp_path).python == "3.12"


@pytest.mark.parametrize(
    ("text", "python", "warned"),
    [
        ("3.13\n3.11\n", "3.13", False),
        ("# ours\n\n 3.11.4  # pinned\n", "3.11", False),
        ("cpython-3.13.1", "3.13", False),
        ("shop-environment\n", "3.12", True),
        ("system", "3.12", True),
        ("\xff\xfe", "3.12", True),
        ("", "3.12", True),
    ],
)
def test_python_version_files_of_several_tools(tmp_path: Path, text: str, python: str, warned: bool) -> None:
    (tmp_path / ".python-version").write_text(text)
    choice = choose(tmp_path)

    assert (choice.python, bool(choice.warnings)) == (python, warned)


def test_the_nearest_folder_wins(tmp_path: Path) -> None:
    api = tmp_path / "api"
    api.mkdir()
    (tmp_path / ".python-version").write_text("3.11")
    assert choose_python((), (api, tmp_path), DEFAULTS).python == "3.11"
    (api / ".python-version").write_text("3.13")
    assert choose_python((), (api, tmp_path), DEFAULTS).python == "3.13"


@pytest.mark.parametrize(
    ("value", "why"),
    [("2.7", "Lambda"), ("3.5", "Lambda"), ("3.99", "Lambda"), ("3.10", "this worker"), ("3.14", "this worker")],
)
def test_an_unavailable_python_is_refused_with_the_reason_and_the_choice(tmp_path: Path, value: str, why: str) -> None:
    error = refused(tmp_path, value)

    assert error.code == Code.UNKNOWN_PYTHON
    assert why in error.message
    assert "3.11, 3.12, 3.13" in error.hint


@pytest.mark.parametrize("text", ["3", "three", "", "3.12; rm", "pypy3.10", "3.12.1.1"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(AppError) as caught:
        parse_minor(text, "here")

    assert caught.value.code == Code.UNKNOWN_PYTHON


@pytest.mark.parametrize("value", ["x64", "", None, 1, ["arm64"], "ARM64"])
def test_unknown_architectures(value: object) -> None:
    with pytest.raises(AppError) as caught:
        parse_architecture(value, "here")

    assert caught.value.code == Code.UNKNOWN_ARCHITECTURE
    assert "x86_64, arm64" in caught.value.hint


def test_a_runtime_past_its_end_is_warned_of_from_that_day(tmp_path: Path) -> None:
    end = RUNTIMES["3.11"].deprecated
    before = Defaults("3.11", ("3.11",), today=date(end.year, end.month, end.day - 1))

    assert choose(tmp_path, defaults=before).warnings == ()
    assert "3.11" in choose(tmp_path, defaults=Defaults("3.11", ("3.11",), today=end)).warnings[0]


POETRY = "[tool.poetry]\nname = 'shop'\n[tool.poetry.dependencies]\npython = '{}'\n"


@pytest.mark.parametrize(
    ("file", "text", "python", "others"),
    [
        ("pyproject.toml", POETRY.format("~3.11"), "3.11", ()),
        ("pyproject.toml", POETRY.format("^3.9"), "3.12", ("3.13", "3.11")),
        ("pyproject.toml", POETRY.format(">=3.9 <3.12"), "3.11", ()),
        ("pyproject.toml", POETRY.format("3.13"), "3.13", ()),
        ("pyproject.toml", POETRY.format("~3.11 || ^3.13"), "3.13", ("3.11",)),
        ("pyproject.toml", POETRY.format("*"), "3.12", ("3.13", "3.11")),
        ("pyproject.toml", POETRY.format("^3.13.0"), "3.13", ()),
        ("Pipfile", "[requires]\npython_version = '3.11'\n", "3.11", ()),
        ("Pipfile", "[requires]\npython_full_version = '3.13.1'\n", "3.13", ()),
        ("Pipfile.lock", '{"_meta": {"requires": {"python_version": "3.11"}}}', "3.11", ()),
        ("poetry.lock", '[[package]]\npython-versions = ">=2"\n\n[metadata]\npython-versions = "~3.11"\n', "3.11", ()),
        ("uv.lock", 'version = 1\nrequires-python = ">=3.13"\n', "3.13", ()),
        ("pylock.toml", 'lock-version = "1.0"\nrequires-python = "<3.12"\n', "3.11", ()),
        ("pdm.lock", '[[metadata.targets]]\nrequires_python = "==3.13.*"\n', "3.13", ()),
        ("setup.cfg", "[options]\npython_requires = <3.12\n", "3.11", ()),
        ("setup.py", "from setuptools import setup\nsetup(name='x', python_requires='>=3.13')\n", "3.13", ()),
        ("runtime.txt", "python-3.11.9\n", "3.11", ()),
        (".tool-versions", "nodejs 20\npython 3.13.1 3.12.0\n", "3.13", ()),
        (".tool-versions", "nodejs 20\n", "3.12", ("3.13", "3.11")),
    ],
)  # fmt: skip
def test_every_place_where_an_app_says_its_python(
    tmp_path: Path, file: str, text: str, python: str, others: tuple[str, ...]
) -> None:
    (tmp_path / file).write_text(text)
    choice = choose(tmp_path)

    assert (choice.python, choice.others, choice.warnings) == (python, others, ())


def test_what_two_places_say_holds_together_unless_one_is_out_of_date(tmp_path: Path) -> None:
    requires(tmp_path, ">=3.11")
    (tmp_path / "Pipfile").write_text("[requires]\npython_version = '3.13'\n")
    assert (choose(tmp_path).python, choose(tmp_path).others) == ("3.13", ())

    (tmp_path / "Pipfile").write_text("[requires]\npython_version = '3.7'\n")
    assert (choose(tmp_path).python, choose(tmp_path).others) == ("3.12", ("3.13", "3.11"))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", POETRY.format("recent")),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = 3.12\n"),
        ("pyproject.toml", POETRY.format("^\N{SUPERSCRIPT TWO}")),
        ("pyproject.toml", POETRY.format(f"^3.{'1' * 6000}")),
        ("setup.py", "setup(python_requires='three')"),
        ("Pipfile", "[requires]\npython_version = ['3.12']\n"),
    ],
)
def test_what_cannot_be_read_is_ignored_with_a_warning(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    choice = choose(tmp_path)

    assert choice.python == "3.12"
    assert [warning for warning in choice.warnings if "is ignored" in warning]


@pytest.mark.parametrize("text", ["{", "[]", '{"_meta": 1}', '{"_meta": {"requires": []}}', "\x00"])
def test_a_broken_lock_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pipfile.lock").write_text(text)

    assert choose(tmp_path) == choose_python((), (), DEFAULTS)


def test_classifiers_only_say_what_is_tried_first(tmp_path: Path) -> None:
    lines = "".join(f"    'Programming Language :: Python :: {one}',\n" for one in ("3", "3.10", "3.11"))
    (tmp_path / "setup.py").write_text(f"from setuptools import setup\nsetup(classifiers=[\n{lines}])\n")
    choice = choose(tmp_path)

    assert (choice.python, choice.others) == ("3.11", ("3.12", "3.13"))
    assert 'python = "3.11" in auto-lambda.toml' in choice.warnings[0]


@pytest.mark.parametrize("value", ["3.6", "python3.8", "3.9.18"])
def test_a_retired_python_becomes_the_oldest_with_a_warning(tmp_path: Path, value: str) -> None:
    choice = choose(tmp_path, value)

    assert (choice.python, choice.others) == ("3.11", ())
    assert "retired" in choice.warnings[0]
    assert 'python = "3.11" in auto-lambda.toml' in choice.warnings[0]


@pytest.mark.parametrize("value", ["3.6", "python3.8"])
def test_a_retired_python_is_refused_where_the_pipeline_wants_that(tmp_path: Path, value: str) -> None:
    strict = replace(DEFAULTS, replace_retired=False)
    with pytest.raises(AppError, match="Lambda has retired") as caught:
        choose(tmp_path, value, defaults=strict)
    assert caught.value.code == Code.UNKNOWN_PYTHON
    assert 'python = "3.13" into auto-lambda.toml' in (caught.value.hint or "")
    assert choose(tmp_path, "3.11", defaults=strict).python == "3.11"


@pytest.mark.parametrize("text", [POETRY.format("~3.8"), POETRY.format("^3.6,<3.10")])
def test_a_range_of_retired_pythons_becomes_the_oldest_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    assert choose(tmp_path).python == "3.11"
    assert "retired" in choose(tmp_path).warnings[0]


def test_a_python_past_its_end_is_still_used_where_there_is_one(tmp_path: Path) -> None:
    end = RUNTIMES["3.10"].deprecated
    with_it = Defaults("3.12", ("3.10", "3.11", "3.12"), today=end)
    without = Defaults("3.12", ("3.11", "3.12"), today=end)

    assert choose(tmp_path, "3.10", defaults=with_it).python == "3.10"
    assert choose(tmp_path, "3.10", defaults=without).python == "3.11"
    assert choose(tmp_path, "3.8", defaults=with_it).python == "3.11"
