from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from builder.dependencies.manifests import Manifest, find
from builder.model import Options

POETRY = """
[tool.poetry.dependencies]
python = "^3.11"
requests = {version = "^2.31", extras = ["socks"]}
tomli = {version = "~2.0.1", python = "<3.11"}
pinned = "1.2.3"
early = "^0.4.2"
anything = "*"
later = {version = "1.*", optional = true}
"""


def found(
    tree: Path,
    files: dict[str, str],
    root: str = ".",
    exported: str = "",
    said: list[object] | None = None,
    **more: Any,
) -> Manifest:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / root).mkdir(exist_ok=True)

    def export(lock: Path, project: Path, arguments: tuple[str, ...]) -> str:
        (said if said is not None else []).append((lock.relative_to(tree), project.relative_to(tree), arguments))
        return exported

    return find(
        tree / root,
        tree,
        more.get("known", lambda url: "ours.example" in url),
        export,
        Options(**more.get("options", {})),
    )


def refused(tree: Path, files: dict[str, str]) -> str:
    with pytest.raises(AppError) as caught:
        found(tree, files)
    assert caught.value.code == Code.BAD_REQUIREMENTS
    return caught.value.message


def test_no_manifest_means_nothing(tmp_path: Path) -> None:
    manifest = found(tmp_path, {"app.py": ""})
    assert manifest.shown is None
    assert manifest.lines.requirements == ()


def test_what_pins_more_goes_first(tmp_path: Path) -> None:
    files = {
        "uv.lock": "",
        "poetry.lock": "",
        "pdm.lock": "",
        "Pipfile.lock": '{"default": {}}',
        "pylock.toml": "",
        "requirements.txt": "a",
        "zappa_requirements.txt": "a",
        "requirements/prod.txt": "a",
        "requirements/base.txt": "a",
        "pyproject.toml": "[project]\nname='x'\ndependencies=['a']",
        "Pipfile": "[packages]\na='*'",
        "setup.cfg": "[options]\ninstall_requires = a",
        "setup.py": "setup(install_requires=['a'])",
    }
    for name in list(files):
        assert found(tmp_path, files).shown == name
        (tmp_path / name).unlink()
        del files[name]


def test_the_apps_folder_wins_over_the_folders_above_it(tmp_path: Path) -> None:
    files = {"uv.lock": "", "pyproject.toml": "", "api/requirements.txt": "six"}
    assert found(tmp_path, files, "api").shown == "api/requirements.txt"
    assert found(tmp_path, files, "other").shown == "uv.lock"


def test_nothing_above_the_zip_is_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six")
    (tmp_path / "tree").mkdir()
    assert found(tmp_path / "tree", {}).shown is None


def test_a_pyproject_that_only_configures_tools_is_no_manifest(tmp_path: Path) -> None:
    assert found(tmp_path, {"pyproject.toml": "[tool.black]\n", "Pipfile": "[packages]\nsix = '*'"}).shown == "Pipfile"


def test_uv_lock_is_complete_and_knows_what_the_app_itself_asked_for(tmp_path: Path) -> None:
    files = {"uv.lock": "", "pyproject.toml": "[project]\nname='x'\ndependencies=['Boto3>=1']"}
    manifest = found(tmp_path, files, exported="boto3==1.40 --hash=sha256:aa\nbotocore==1.40\n")
    assert manifest.complete
    assert manifest.direct == {"boto3"}
    assert manifest.lines.requirements == ("boto3==1.40", "botocore==1.40")
    assert manifest.lines.hashes == {"boto3": {"sha256:aa"}}


def test_pipfile_lock(tmp_path: Path) -> None:
    lock = {
        "default": {
            "requests": {
                "version": "==2.32.3",
                "extras": ["socks"],
                "hashes": ["sha256:aa"],
                "markers": "os_name == 'x'",
            },
            "lib": {"path": "./lib", "editable": True},
        },
        "develop": {"pytest": {"version": "==8"}},
    }
    manifest = found(tmp_path, {"Pipfile.lock": json.dumps(lock), "lib/setup.py": ""})
    assert manifest.lines.requirements == ('requests[socks]==2.32.3; os_name == "x"',)
    assert manifest.lines.hashes == {"requests": {"sha256:aa"}}
    assert [one.shown for one in manifest.lines.local] == ["lib"]
    assert manifest.complete


def test_pipfile(tmp_path: Path) -> None:
    text = """
[[source]]
url = "https://ours.example/simple"
[packages]
flask = "*"
six = ">=1.16,<2"
old = "==1.0"
win = {version = "~=1.2", sys_platform = "== 'win32'"}
[dev-packages]
pytest = "*"
"""
    assert set(found(tmp_path, {"Pipfile": text}).lines.requirements) == {
        "flask", "six<2,>=1.16", "old==1.0", 'win~=1.2; sys_platform == "win32"',
    }  # fmt: skip


def test_poetrys_notation_of_versions(tmp_path: Path) -> None:
    assert set(found(tmp_path, {"pyproject.toml": POETRY}).lines.requirements) == {
        "requests[socks]<3,>=2.31",
        'tomli<2.1,>=2.0.1; python_version < "3.11"',
        "pinned==1.2.3",
        "early<0.5,>=0.4.2",
        "anything",
    }


def test_poetry_lock_holds_the_roots_to_its_versions_and_files(tmp_path: Path) -> None:
    lock = """
[[package]]
name = "Requests"
version = "2.31.0"
files = [{file = "r.whl", hash = "sha256:aa"}, {file = "r.tar.gz", hash = "sha256:bb"}]
[[package]]
name = "pytest"
version = "8.0"
markers = "python_version > '3'"
files = []
"""
    manifest = found(tmp_path, {"poetry.lock": lock, "pyproject.toml": POETRY})
    assert "requests[socks]<3,>=2.31" in manifest.lines.requirements
    assert "pytest" not in manifest.lines.names
    assert manifest.lines.constraints == ("Requests==2.31.0", 'pytest==8.0; python_version > "3"')
    assert manifest.lines.hashes["requests"] == {"sha256:aa", "sha256:bb"}
    assert not manifest.complete


def test_uvs_own_table_says_where_a_local_dependency_is(tmp_path: Path) -> None:
    text = "[project]\nname='x'\ndependencies=['My-Lib', 'six']\n[tool.uv.sources]\nmy_lib = {path = 'lib'}"
    manifest = found(tmp_path, {"pyproject.toml": text, "lib/setup.py": ""})
    assert manifest.lines.requirements == ("six",)
    assert [one.shown for one in manifest.lines.local] == ["lib"]


def test_a_file_of_the_host_is_not_read_for_a_dependency(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("root:x")
    for line in (f"-r {outside}", f"a\\n-r {outside}"):
        message = refused(tmp_path / "tree", {"pyproject.toml": f'[project]\ndependencies = ["{line}"]'})
        assert "root:x" not in message
        assert "the option -r is not supported" in message


@pytest.mark.parametrize("option", ["-r {}", "-c {}", "-e {}", "--find-links {}", "a @ file://{}", "{}"])
def test_no_answer_tells_which_files_the_host_has(tmp_path: Path, option: str) -> None:
    there, missing = tmp_path / "a", tmp_path / "b"
    there.write_text("root:x")
    for name, line in (("pyproject.toml", '[project]\ndependencies = ["{}"]'), ("requirements.txt", "{}\n")):
        told = [
            refused(tmp_path / "tree", {name: line.format(option.format(path))}).replace(str(path), "PATH")
            for path in (there, missing)
        ]
        (tmp_path / "tree" / name).unlink()
        assert told[0] == told[1]
        assert "root:x" not in told[0]


@pytest.mark.parametrize("version", ["^" + "1" * 6000, "~1." + "1" * 6000])
def test_a_version_of_thousands_of_digits_is_the_uploaders_mistake(tmp_path: Path, version: str) -> None:
    assert "is not a requirement" in refused(tmp_path, {"Pipfile": f'[packages]\na = "{version}"'})


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("pyproject.toml", "[project]\nname='x'\ndynamic=['dependencies']", "dynamic"),
        ("pyproject.toml", "[project]\nname='x'\ndependencies=['a @ git+https://host.example/a']", "host.example"),
        (
            "pyproject.toml",
            "[project]\nname='x'\ndependencies=['a']\n[tool.uv.sources]\na={git='g'}",
            "a from elsewhere",
        ),
        (
            "pyproject.toml",
            "[project]\ndependencies=['a']\n[[tool.uv.index]]\nurl='https://host.example'",
            "host.example",
        ),
        ("pyproject.toml", "[project", "can't be read"),
        ("pyproject.toml", "[tool.poetry.dependencies]\na={git='https://host.example/a'}", "a comes from git"),
        ("pyproject.toml", "[tool.poetry.dependencies]\na={path='../a'}", "outside"),
        ("Pipfile", "[[source]]\nurl='https://host.example'\n[packages]\na='*'", "host.example"),
        ("Pipfile", "[packages]\na={git='https://host.example/a'}", "a comes from git"),
        ("Pipfile", "[packages]\na='not a version'", "a"),
        ("Pipfile.lock", "{", "can't be read"),
        ("Pipfile.lock", "[" * 100_000, "can't be read"),
        ("poetry.lock", "", "no pyproject.toml"),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_place(tmp_path: Path, name: str, text: str, named: str) -> None:
    message = refused(tmp_path, {name: text})
    assert name in message
    assert named in message


# Groups, extras and files that the app names

GROUPS = """
[project]
name = "shop"
dependencies = ["flask"]
[project.optional-dependencies]
pg = ["psycopg2"]
[dependency-groups]
prod = ["humanize", {include-group = "base"}]
base = ["six"]
dev = ["pytest"]
"""
POETRY_GROUPS = (
    POETRY
    + """
[tool.poetry.group.web.dependencies]
humanize = "*"
[tool.poetry.group.dev.dependencies]
pytest = "*"
[tool.poetry.group.rare]
optional = true
[tool.poetry.group.rare.dependencies]
six = "*"
[tool.poetry.extras]
soon = ["later"]
"""
)


def names(manifest: Manifest) -> set[str]:
    return set(manifest.lines.names)


def test_groups_and_extras_are_installed_where_the_app_asks_for_them(tmp_path: Path) -> None:
    files = {"pyproject.toml": GROUPS}
    assert names(found(tmp_path, files)) == {"flask"}
    wanted = {"groups": ("prod",), "extras": ("pg",)}
    assert names(found(tmp_path, files, options=wanted)) == {"flask", "humanize", "six", "psycopg2"}


def test_uvs_default_groups_count_but_those_for_development(tmp_path: Path) -> None:
    files = {"pyproject.toml": GROUPS + "[tool.uv]\ndefault-groups = ['prod', 'dev']\n"}
    assert names(found(tmp_path, files)) == {"flask", "humanize", "six"}
    said: list[Any] = []
    found(tmp_path, {"uv.lock": ""}, said=said)
    found(tmp_path, {}, said=said, options={"groups": ("base",), "extras": ("pg",)})
    assert [arguments for _, _, arguments in said] == [("--group=prod",), ("--group=base", "--extra=pg")]


def test_poetrys_groups_count_unless_they_are_optional_or_for_development(tmp_path: Path) -> None:
    files = {"pyproject.toml": POETRY_GROUPS}
    assert {"humanize", "six", "pytest", "later"} & names(found(tmp_path, files)) == {"humanize"}
    wanted = {"groups": ("rare",), "extras": ("soon",)}
    assert {"humanize", "six", "pytest", "later"} & names(found(tmp_path, files, options=wanted)) == {"six", "later"}


def test_a_group_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="no group gone"):
        found(tmp_path, {"pyproject.toml": GROUPS}, options={"groups": ("gone",)})


def test_a_requirements_file_that_the_app_names_is_read_before_all_others(tmp_path: Path) -> None:
    files = {"uv.lock": "", "deploy/live.txt": "six"}
    assert found(tmp_path, files, options={"requirements": "deploy/live.txt"}).shown == "deploy/live.txt"
    with pytest.raises(AppError, match="outside the zip"):
        found(tmp_path, files, options={"requirements": "../live.txt"})


# What is not read is said


def test_a_lock_that_is_not_used_is_named(tmp_path: Path) -> None:
    (warning,) = found(tmp_path, {"uv.lock": "", "pdm.lock": "", "api/requirements.txt": "six"}, "api").warnings
    assert "uv.lock, pdm.lock is not read, as the dependencies come from api/requirements.txt" in warning


def test_of_a_folder_of_requirements_the_one_for_production_is_read(tmp_path: Path) -> None:
    files = {"requirements/base.txt": "six", "requirements/dev.txt": "pytest", "requirements/prod.txt": "-r base.txt"}
    manifest = found(tmp_path, files)
    assert (manifest.shown, names(manifest)) == ("requirements/prod.txt", {"six"})
    assert manifest.warnings[0].startswith("requirements/dev.txt is not read")


@pytest.mark.parametrize(
    "name", ["requirements-prod.txt", "requirements_lambda.txt", "prod_requirements.txt", "requirements.in"]
)
def test_the_only_requirements_file_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    manifest = found(tmp_path, {name: "six", "dev-requirements.txt": "pytest", "requirements-test.txt": "pytest"})
    assert (manifest.shown, names(manifest)) == (name, {"six"})
    assert f"{name} is read, as nothing else" in manifest.warnings[0]


def test_of_two_such_files_none_is_guessed(tmp_path: Path) -> None:
    manifest = found(tmp_path, {"requirements-api.txt": "six", "requirements-web.txt": "idna"})
    assert manifest.shown is None
    assert manifest.warnings[0].startswith("requirements-api.txt, requirements-web.txt is not read")


@pytest.mark.parametrize("name", ["environment.yml", "dev-requirements.txt", "requirements/local.txt", "setup.py"])
def test_what_looks_like_a_manifest_but_is_none_is_named(tmp_path: Path, name: str) -> None:
    manifest = found(tmp_path, {name: "install_requires = read()"})
    assert manifest.shown is None
    assert manifest.warnings[0].startswith(f"{name} is not read")


def test_a_setup_file_whose_imports_would_take_the_parser_too_much_memory_is_not_read(tmp_path: Path) -> None:
    text = f"import {'.'.join(['a'] * 2000)}\nsetup(install_requires=['six'])"
    assert found(tmp_path, {"setup.py": text}).shown is None


# Locks of other tools


def test_a_pdm_lock_holds_the_roots_to_its_versions(tmp_path: Path) -> None:
    lock = "[[package]]\nname = 'humanize'\nversion = '4.9.0'\nfiles = [{file = 'h.whl', hash = 'sha256:aa'}]\n"
    project = "[project]\nname = 'x'\ndependencies = ['flask', 'humanize>=4.9']\n"
    manifest = found(tmp_path, {"pdm.lock": lock, "pyproject.toml": project})
    assert (manifest.shown, manifest.lines.constraints) == ("pdm.lock", ("humanize==4.9.0",))
    assert manifest.lines.hashes == {"humanize": {"sha256:aa"}}


def test_a_pylock_is_complete_and_pinned(tmp_path: Path) -> None:
    lock = """
lock-version = "1.0"
[[packages]]
name = "six"
version = "1.16.0"
marker = "python_version > '3'"
wheels = [{name = "six.whl", hashes = {sha256 = "aa"}}]
sdist = {name = "six.tar.gz", hashes = {sha256 = "bb"}}
[[packages]]
name = "mine"
directory = {path = "libs/mine"}
"""
    manifest = found(tmp_path, {"pylock.toml": lock, "libs/mine/pyproject.toml": ""})
    assert manifest.complete
    assert manifest.lines.requirements == ('six==1.16.0; python_version > "3"',)
    assert manifest.lines.hashes == {"six": {"sha256:aa", "sha256:bb"}}
    assert [one.shown for one in manifest.lines.local] == ["libs/mine"]
    assert "no package index" in refused(tmp_path, {"pylock.toml": "[[packages]]\nname = 'a'\nvcs = {type = 'git'}\n"})


def test_two_versions_in_a_poetry_lock_are_pinned_under_the_markers_that_tell_them_apart(tmp_path: Path) -> None:
    project = """
[tool.poetry.dependencies]
numpy = [{version = "^1.24", python = "<3.12"}, {version = "^2.1", python = ">=3.12"}]
other = [{version = ">=1", python = "<3.12"}, {version = ">=1", python = ">=3.12"}]
"""
    package = "[[package]]\nname = '{}'\nversion = '{}'\nfiles = [{{hash = 'sha256:{}'}}]\n"
    pins = (("numpy", "1.26.4", "aa"), ("numpy", "2.1.0", "bb"), ("other", "1.0", "cc"), ("other", "2.0", "dd"))
    lock = "".join(package.format(*pin) for pin in pins)
    manifest = found(tmp_path, {"pyproject.toml": project, "poetry.lock": lock})
    assert manifest.lines.constraints == (
        'numpy==1.26.4; python_version < "3.12"',
        'numpy==2.1.0; python_version >= "3.12"',
    )
    assert manifest.lines.hashes == {"numpy": {"sha256:aa", "sha256:bb"}}


WORKSPACE = "[project]\nname = 'mono'\n[tool.uv.workspace]\nmembers = ['services/*']\nexclude = ['services/old']\n"
MEMBER = "[project]\nname = 'api'\ndependencies = ['core']\n[tool.uv.sources]\ncore = {workspace = true}\n"


def test_a_member_of_a_workspace_is_held_to_its_lock(tmp_path: Path) -> None:
    files = {
        "uv.lock": "",
        "pyproject.toml": WORKSPACE,
        "services/api/pyproject.toml": MEMBER,
        "core/pyproject.toml": "",
    }
    said: list[Any] = []
    manifest = found(tmp_path, files, "services/api", exported="./core\nsix==1\n", said=said)
    assert (manifest.shown, manifest.complete, manifest.warnings) == ("uv.lock", True, ())
    assert [one.shown for one in manifest.lines.local] == ["core"]
    assert said == [(Path("uv.lock"), Path("services/api"), ())]


def test_who_is_no_member_is_not_held_to_the_lock(tmp_path: Path) -> None:
    project = "[project]\nname = 'old'\ndependencies = ['six']\n"
    files = {"uv.lock": "", "pyproject.toml": WORKSPACE, "services/old/pyproject.toml": project}
    manifest = found(tmp_path, files, "services/old")
    assert manifest.shown == "services/old/pyproject.toml"
    assert "uv.lock is not read" in manifest.warnings[0]


def test_a_member_without_the_workspaces_lock_is_told_to_lock(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        found(tmp_path, {"pyproject.toml": MEMBER})
    assert "uv lock" in caught.value.hint


# The project itself


@pytest.mark.parametrize(
    ("files", "installed"),
    [
        ({"src/my_shop/__init__.py": ""}, True),
        ({"src/my_shop.py": ""}, True),
        ({"my_shop/__init__.py": ""}, False),
        ({"src/other/__init__.py": ""}, False),
        ({"src/my_shop/__init__.py": "", "src/__init__.py": ""}, False),
    ],
)
def test_a_project_with_its_package_in_src_is_installed(tmp_path: Path, files: dict[str, str], installed: bool) -> None:
    project = "[project]\nname = 'My-Shop'\ndependencies = []\n[build-system]\nrequires = ['hatchling']\n"
    manifest = found(tmp_path, {"pyproject.toml": project, **files})
    assert [one.shown for one in manifest.lines.local] == (["."] if installed else [])


# setup.cfg and setup.py


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[options]\ninstall_requires =\n    six>=1\n    flask\n"),
        ("setup.py", "from setuptools import setup\nsetup(name='x', install_requires=['six>=1', 'flask'])\n"),
        ("setup.py", "NEEDS = ('six>=1', 'flask')\nsetup(install_requires=NEEDS)\n"),
    ],
)
def test_requirements_of_setup_files_are_read_as_data(tmp_path: Path, name: str, text: str) -> None:
    assert found(tmp_path, {name: text}).lines.requirements == ("six>=1", "flask")


@pytest.mark.parametrize("text", ["setup(install_requires=read())", "setup(", "[options]\nx", "(" * 500, "setup()"])
def test_setup_files_that_say_it_otherwise_are_no_manifest(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, {"setup.py": text, "setup.cfg": text}).shown is None


# The rest


@pytest.mark.parametrize(("line", "added"), [("botocore==1.29.0", ("boto3",)), ("boto3\nbotocore", ())])
def test_a_botocore_of_the_apps_own_brings_its_boto3(tmp_path: Path, line: str, added: tuple[str, ...]) -> None:
    manifest = found(tmp_path, {"requirements.txt": line})
    assert manifest.lines.requirements[1:] == added or not added


def test_the_former_name_of_the_default_index_is_the_index(tmp_path: Path) -> None:
    from pip._internal.models.index import PyPI

    former = f"{PyPI.netloc.partition('.')[0]}.python.org"
    files = {"Pipfile": f"[[source]]\nurl = 'https://{former}/simple'\n[packages]\nsix = '*'\n"}
    assert found(tmp_path, files, known=lambda url: PyPI.netloc in url).shown == "Pipfile"
    with pytest.raises(AppError):
        found(tmp_path, files)


def test_a_freeze_of_conda_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        found(tmp_path, {"requirements.txt": "six @ file:///home/conda/feedstock_root/six/work"})
    assert "pip list --format=freeze" in caught.value.hint


def test_builds_of_ubuntus_own_are_left_out_however_they_are_numbered(tmp_path: Path) -> None:
    lines = "distro-info==1.1+ubuntu0.2\nsix\npython-debian==0.1.36ubuntu1\nsystemd-python==234-1ubuntu2\n"
    manifest = found(tmp_path, {"requirements.txt": lines})
    assert names(manifest) == {"six"}
    assert ["line 1" in manifest.warnings[0], "line 3" in manifest.warnings[1], "line 4" in manifest.warnings[2]] == [
        True, True, True,
    ]  # fmt: skip


def test_a_line_of_debians_pip_is_left_out(tmp_path: Path) -> None:
    manifest = found(tmp_path, {"requirements.txt": "six\npkg-resources==0.0.0\npkg_resources==0.0.0\n"})
    assert names(manifest) == {"six"}
    assert "line 2" in manifest.warnings[0]


SRC_CFG = (
    "[metadata]\nname = acme-shop\n[options]\npackage_dir =\n    = src\npackages = find:\ninstall_requires =\n    six\n"
)
SRC_PY = "from setuptools import setup\nsetup(name='x', package_dir={'': 'src'}, install_requires=['six'])\n"


@pytest.mark.parametrize(
    "files",
    [
        {"setup.cfg": SRC_CFG, "setup.py": "from setuptools import setup\nsetup()\n"},
        {"setup.cfg": SRC_CFG, "pyproject.toml": "[build-system]\nrequires = ['setuptools']\n"},
        {"setup.py": SRC_PY},
        {"setup.py": SRC_PY, "requirements.txt": "six\n"},
    ],
)
def test_a_project_whose_setup_says_that_its_packages_are_in_src_is_installed(
    tmp_path: Path, files: dict[str, str]
) -> None:
    manifest = found(tmp_path, {**files, "src/shop/__init__.py": ""})
    assert manifest.lines.requirements == ("six",)
    assert [one.path for one in manifest.lines.local] == [tmp_path.resolve()]


@pytest.mark.parametrize(
    "files",
    [
        {"setup.cfg": SRC_CFG, "src/shop/__init__.py": ""},  # nothing would build it
        {"setup.py": SRC_PY, "src/shop.py": ""},
        {"setup.py": SRC_PY, "src/__init__.py": "", "src/shop/__init__.py": ""},
        {"setup.py": SRC_PY.replace("'src'", "'lib'"), "src/shop/__init__.py": ""},
        {"setup.py": SRC_PY, "src/shop/__init__.py": "", "requirements.txt": "six --hash=sha256:" + "0" * 64},
    ],
)
def test_a_project_whose_packages_are_elsewhere_is_not(tmp_path: Path, files: dict[str, str]) -> None:
    assert found(tmp_path, files).lines.local == ()


def test_a_project_that_its_requirements_name_is_installed_once(tmp_path: Path) -> None:
    files = {"setup.py": SRC_PY, "requirements.txt": "-e .\nsix\n", "src/shop/__init__.py": ""}
    assert len(found(tmp_path, files).lines.local) == 1
