from __future__ import annotations

import json
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from builder.dependencies.manifests import Manifest, find

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


def found(tree: Path, files: dict[str, str], root: str = ".", exported: str = "") -> Manifest:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / root).mkdir(exist_ok=True)
    return find(tree / root, tree, lambda url: "ours.example" in url, lambda _lock, _root: exported)


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
        "Pipfile.lock": '{"default": {}}',
        "requirements.txt": "a",
        "zappa_requirements.txt": "a",
        "pyproject.toml": "[project]\nname='x'\ndependencies=['a']",
        "Pipfile": "[packages]\na='*'",
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
