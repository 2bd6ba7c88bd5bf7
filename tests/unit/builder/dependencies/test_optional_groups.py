"""Modules that groups and extras of the app's own would bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.keys import App
from builder.dependencies.optional_groups import hint_of_groups
from builder.model import Options, Source

POETRY = """[tool.poetry.dependencies]
flask = '*'
[tool.poetry.group.main.dependencies]
six = '*'
[tool.poetry.group.web]
optional = true
[tool.poetry.group.web.dependencies]
humanize = {version = '^4', extras = ['x']}
"""
EXTRAS = "[project]\ndependencies = ['flask']\n[project.optional-dependencies]\nprod = ['humanize>=4', 'PyYAML']\n"
GROUPS = """[project]
dependencies = ['flask']
[dependency-groups]
all = [{include-group = 'web'}]
web = ['humanize']
dev = ['python-magic']
"""
POETRY_EXTRAS = (
    "[tool.poetry.dependencies]\nhumanize = {version='*', optional=true}\n[tool.poetry.extras]\np = ['humanize']\n"
)


def hint(tmp_path: Path, text: str, modules: list[str], options: Options | None = None, **files: str) -> str | None:
    (tmp_path / "pyproject.toml").write_text(text)
    for name, content in files.items():
        (tmp_path / name.replace("_", ".")).write_text(content)
    app = App("prod", "shop")
    return hint_of_groups(
        modules, Source(app, tmp_path, tmp_path, "zappa", "prod", "3.13", "x86_64", options or Options())
    )


@pytest.mark.parametrize(
    ("text", "modules", "words"),
    [
        (POETRY, ["humanize"], ["the group web of pyproject.toml", 'groups = ["main", "web"]']),
        (EXTRAS, ["humanize.time"], ["the extra prod of pyproject.toml", 'extras = ["prod"]']),
        (EXTRAS, ["yaml"], ["yaml is in the extra prod"]),
        (GROUPS, ["humanize"], ['groups = ["all"]']),
        (GROUPS, ["humanize", "magic"], ['groups = ["all", "dev"]']),
        (POETRY_EXTRAS, ["humanize"], ['extras = ["p"]']),
    ],
)
def test_the_group_or_extra_is_named_with_the_line_to_write(
    tmp_path: Path, text: str, modules: list[str], words: list[str]
) -> None:
    told = hint(tmp_path, text, modules) or ""
    assert [word for word in words if word not in told] == []


def test_what_is_wanted_already_stays(tmp_path: Path) -> None:
    told = hint(tmp_path, EXTRAS + "more = ['six']\n", ["six"], Options(extras=("prod",)))
    assert 'extras = ["prod", "more"]' in (told or "")
    assert hint(tmp_path, EXTRAS, ["humanize"], Options(extras=("prod",))) is None


@pytest.mark.parametrize("text", [POETRY, EXTRAS, GROUPS, "[project", "dependency-groups = 3\n[tool]\npoetry = []\n"])
def test_what_no_group_brings_has_no_such_hint(tmp_path: Path, text: str) -> None:
    assert hint(tmp_path, text, ["requests"]) is None


def test_groups_do_not_count_where_another_manifest_is_read(tmp_path: Path) -> None:
    assert hint(tmp_path, EXTRAS, ["humanize"], Options(requirements="other.txt")) is None
    assert hint(tmp_path, EXTRAS, ["humanize"], requirements_txt="flask\n") is None
