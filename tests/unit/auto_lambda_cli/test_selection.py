from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda_cli.selection import Reason, select

BEGIN = "-----BEGIN PRIVATE KEY-----"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("app = 1\n")
    return folder


def write(folder: Path, name: str, text: str = "x") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("name", [
    ".env", ".env.production", ".envrc", "sub/.env", ".netrc", ".pypirc", ".aws/credentials", ".ssh/config", "id_rsa",
    "deploy/id_ed25519", "client.p12", "store.jks", "infra/terraform.tfstate",
])  # fmt: skip
def test_what_is_known_to_hold_secrets_by_its_name_is_left_out(app: Path, name: str) -> None:
    write(app, name)
    found = select(app)
    assert found.files == ("app.py",)
    assert Reason.SECRET in found.left_out


@pytest.mark.parametrize(("name", "text"), [
    ("server.pem", KEY), ("server.key", KEY), ("keys/mine", KEY), ("mine.txt", f"\ufeff\n  {KEY}"),
    ("chain.pem", CERTIFICATE * 300 + KEY), ("account.json", f'{{"private_key": "{BEGIN}"}}'),
    ("new", "-----BEGIN OPENSSH PRIVATE KEY-----\n"), ("sealed", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
    ("backup.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
])  # fmt: skip
def test_a_private_key_is_left_out_whatever_its_name(app: Path, name: str, text: str) -> None:
    write(app, name, text)
    found = select(app)
    assert found.files == ("app.py",)
    assert found.left_out == {Reason.SECRET: (name,)}


@pytest.mark.parametrize(("name", "text"), [
    ("ca.pem", CERTIFICATE), ("jwt.pem", "-----BEGIN PUBLIC KEY-----\n"), ("id_rsa.pub", "ssh-rsa AAAA"),
    ("labels.key", "de\n"), ("tests/test_keys.py", f'KEY = """{KEY}"""\n'), ("environment.py", "x"),
    ("docs/keys.md", f"A key begins so:\n{KEY}"),
    ("data.json", "{}"),
])  # fmt: skip
def test_what_only_resembles_a_secret_is_packed(app: Path, name: str, text: str) -> None:
    write(app, name, text)
    assert name in select(app).files


def test_the_files_that_git_ignores_are_left_out(app: Path) -> None:
    write(app, ".gitignore", "dist/\n*.log\n!kept.log\n/only-here.txt\n")
    for name in ("dist/a/b.js", "a.log", "kept.log", "only-here.txt", "sub/only-here.txt", "sub/deep/b.log"):
        write(app, name)
    write(app, "sub/.gitignore", "!b.log\n")
    found = select(app)
    assert found.files == (".gitignore", "app.py", "kept.log", "sub/.gitignore", "sub/deep/b.log", "sub/only-here.txt")
    assert found.left_out == {Reason.IGNORED: ("a.log", "dist/", "only-here.txt")}


@pytest.mark.parametrize(("rules", "packed"), [
    (["made/**", "!made/kept.txt"], ["made/kept.txt"]),
    (["made/**", "!made/sub/"], []),
    (["made/", "!made/**"], []),
    (["made/**/"], ["made/a.txt", "made/kept.txt"]),
])  # fmt: skip
def test_all_that_is_below_a_folder_is_not_the_folder_itself(app: Path, rules: list[str], packed: list[str]) -> None:
    write(app, ".gitignore", "\n".join(rules))
    for name in ("made/a.txt", "made/kept.txt", "made/sub/b.txt"):
        write(app, name)
    assert select(app).files == (".gitignore", "app.py", *packed)


def test_rules_above_the_folder_count_up_to_the_repositorys_top(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", "*.py\n")  # above the repository
    top = tmp_path / "top"
    for name in (
        ".git/HEAD",
        "services/shop/app.py",
        "services/shop/a.log",
        "services/shop/made/b.py",
        "services/shop/c.tmp",
    ):
        write(top, name)
    write(top, ".gitignore", "*.log\nservices/shop/made/\n")
    write(top, "services/.gitignore", "/shop/*.tmp\n")
    found = select(top / "services/shop")
    assert found.files == ("app.py",)
    assert found.left_out == {Reason.IGNORED: ("a.log", "c.tmp", "made/")}


def test_a_folder_that_is_ignored_itself_is_packed_when_it_is_named(tmp_path: Path) -> None:
    for name in (".git/HEAD", "out/app.py"):
        write(tmp_path, name)
    write(tmp_path, ".gitignore", "/out/\n")
    assert select(tmp_path / "out").files == ("app.py",)


@pytest.mark.parametrize("name", [
    ".chalice/config.json", ".chalice/policy-dev.json", "zappa_settings.json", "requirements.txt", "auto-lambda.toml",
    ".python-version", "uv.lock", "sub/requirements.txt",
])  # fmt: skip
def test_what_the_builder_reads_is_packed_even_if_git_ignores_it(app: Path, name: str) -> None:
    write(app, name)
    write(app, ".gitignore", f"{name}\n.chalice/\n")
    found = select(app)
    assert name in found.files
    assert found.kept == (name,)
    assert found.left_out == {}


def test_settings_are_packed_whatever_they_hold(app: Path) -> None:
    write(app, "zappa_settings.json", '{"dev": {"environment_variables": {"KEY": "' + KEY[:31] + '"}}}')
    assert "zappa_settings.json" in select(app).files


def test_secrets_beside_the_settings_are_left_out_all_the_same(app: Path) -> None:
    write(app, ".chalice/.env")
    write(app, ".chalice/deployed/dev.json")
    assert select(app).files == ("app.py",)


@pytest.mark.parametrize(("pattern", "name"), [
    (".env", ".env"), ("dist/", "dist/a.js"), ("dist", "dist/deep/a.js"), ("dist/*.js", "dist/a.js"),
    ("/certs/*.pem", "certs/a.pem"), ("node_modules/x", "node_modules/x/y.js"), ("*", ".aws/config"),
])  # fmt: skip
def test_include_packs_what_would_be_left_out(app: Path, pattern: str, name: str) -> None:
    write(app, name, KEY)
    write(app, ".gitignore", "dist/\n")
    assert name not in select(app).files
    assert name in select(app, [pattern]).files


def test_include_packs_nothing_else(app: Path) -> None:
    for name in ("dist/a.js", "dist/b.css", ".env"):
        write(app, name)
    write(app, ".gitignore", "dist/\n")
    assert select(app, ["dist/a.js"]).files == (".gitignore", "app.py", "dist/a.js")


def test_a_pipe_is_not_waited_for(app: Path) -> None:
    os.mkfifo(app / "pipe.pem")
    assert "pipe.pem" in select(app).files  # refused when it is packed


NAMES = ["a", "b", "c.txt", "d.log", "e"]
PARTS = st.sampled_from([*NAMES, "*", "*.txt", "*.log", "?", "[ab]", "a*"])
PATTERN = st.builds(
    lambda negated, anchored, parts, end: negated + anchored + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**", "/**/b", "/**/"]),
)
RULES = st.lists(PATTERN, max_size=5)
PATHS = st.sets(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple), min_size=1, max_size=12)


@settings(max_examples=25)
@given(paths=PATHS, rules=RULES, deeper=RULES)
def test_it_ignores_what_git_ignores(
    tmp_path_factory: pytest.TempPathFactory, paths: set[tuple[str, ...]], rules: list[str], deeper: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("repository")
    names = {"/".join(path) for path in paths}
    files = {name for name in names if not any(other.startswith(f"{name}/") for other in names)}
    for name in files:
        write(folder, name)
    write(folder, ".gitignore", "\n".join(rules))
    if (folder / "a").is_dir():
        write(folder, "a/.gitignore", "\n".join(deeper))
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    subprocess.run(["git", "init", "-q"], cwd=folder, env=quiet, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=folder, env=quiet, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert set(select(folder).files) == {name for name in listed.stdout.split("\0") if name}
