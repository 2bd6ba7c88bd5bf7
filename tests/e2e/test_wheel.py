"""What someone gets who installs the wheel and has no clone of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ami.wheel import git, make_wheel
from auto_lambda.tools import uv_executable

ROOT = Path(__file__).parents[2]
PACKAGES = ("worker", "builder", "checker", "ami", "auto_lambda", "auto_lambda_cli", "entrypoint")
SHIPPED = "auto_lambda_cli/shipped/"
CLOSED = "http://127.0.0.1:9"  # nothing listens there
NO_AWS = {
    "AWS_ENDPOINT_URL": CLOSED, "AWS_MAX_ATTEMPTS": "1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull,
    "AUTO_LAMBDA_UPLOADS_BUCKET": "uploads", "AUTO_LAMBDA_TABLE": "ledger", "AUTO_LAMBDA_QUEUE_URL": f"{CLOSED}/1/q",
    "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL": f"{CLOSED}/1/d",
}  # fmt: skip
IMPORT_ALL = """
import importlib, pkgutil, sys
for wanted in sys.argv[1:]:
    package = importlib.import_module(wanted)
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{wanted}."):
        if not {"inside", "__main__", "shipped"} & set(found.name.split(".")):
            importlib.import_module(found.name)
"""
HIDE = 'mount -t tmpfs none "$1" && shift && exec "$@"'


class Installed:
    """A virtual environment with the wheel in it, and an empty folder to work in."""

    def __init__(self, folder: Path, wheel: Path, extra: str = "", lock: Path | None = None) -> None:
        self.empty = folder / "empty"
        self.empty.mkdir(parents=True)
        self.bin = folder / "venv" / "bin"
        self._environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "AUTO_LAMBDA_", "PYTHON", "VIRTUAL_ENV"))
        }
        uv("venv", "--python", sys.executable, str(folder / "venv"))
        install = ("pip", "install", "--python", str(self.bin / "python"))
        if lock:  # as the machines' provisioning does it
            uv(*install, "--require-hashes", "--requirement", str(lock))
            uv(*install, "--no-deps", str(wheel))
        else:
            wanted = f"auto-lambda[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
            uv(*install, "--constraint", str(ROOT / "requirements.txt"), wanted)

    def run(self, *argv: str, environ: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment where the clone is not to be seen."""
        who = [] if os.getuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
        return subprocess.run(
            ["unshare", *who, "--mount", "sh", "-c", HIDE, "sh", str(ROOT), str(self.bin / argv[0]), *argv[1:]],
            cwd=self.empty, env={**self._environ, **environ}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def auto_lambda(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return self.run("auto-lambda", *argv, environ=NO_AWS)


def uv(*arguments: str) -> None:
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(
        [uv_executable(), *arguments], cwd="/", env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("base"), wheel)


def sources() -> set[str]:
    """What git does not ignore."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name for name in listed if name and (ROOT / name).is_file()}


def copied(target: Path) -> Path:
    """The sources in another folder, with other times and, after the umask, other modes."""
    for name in sources():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target / name)
        if os.access(ROOT / name, os.X_OK):
            (target / name).chmod(0o700)
    return target


def test_the_same_sources_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795824000")
    before = os.umask(0o077)
    try:
        other = copied(tmp_path / "another" / "folder")
        git(other, "init", "--quiet")
        second = make_wheel(other, tmp_path / "second")
    finally:
        os.umask(before)
    first = make_wheel(ROOT, tmp_path / "first")
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())


def test_every_module_and_every_shipped_file_is_in_it(wheel: Path) -> None:
    names = sources()
    modules = {name for name in names if name.endswith(".py") and name.split("/")[0] in PACKAGES}
    locks = {name for name in names if name.startswith("auto_lambda/locks/") and name.endswith(".txt")}
    shipped = {SHIPPED + name for name in names if name.startswith(("apps/", "examples/", "infra/"))}
    page = {name for name in names if name.startswith("auto_lambda_cli/console/page/")}
    assert len(page) > 20
    assert sorted((modules | locks | shipped | page) - set(zipfile.ZipFile(wheel).namelist())) == []


def test_the_bill_of_materials_is_where_tools_look_for_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if ".dist-info/sboms/" in name)
    assert name.endswith(".cdx.json")
    assert archive.read(name) == (ROOT / "auto_lambda/locks/sbom.cdx.json").read_bytes()
    (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
    assert name.encode() in archive.read(record)


def test_a_wheel_made_from_the_source_archive_holds_the_same_files(wheel: Path, tmp_path: Path) -> None:
    uv("build", "--out-dir", str(tmp_path), str(copied(tmp_path / "sources")))
    made = zipfile.ZipFile(next(tmp_path.glob("*.whl")))
    assert sorted(made.namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_base_installation_shows_its_help(base: Installed) -> None:
    assert "deploy" in base.auto_lambda("--help").stdout
    assert "--stage" in base.auto_lambda("deploy", "--help").stdout


@pytest.mark.parametrize(
    "command",
    [
        "deploy app",
        "status",
        "status --history shop",
        "status --watch",
        "logs shop",
        "rollback shop",
        "undeploy shop -y",
        "redrive",
        "reconcile",
        "approve shop -y",
    ],
)  # fmt: skip
def test_the_base_installation_reaches_for_aws(base: Installed, command: str) -> None:
    (base.empty / "app").mkdir(exist_ok=True)
    (base.empty / "app" / "app.py").write_text("")
    done = base.auto_lambda(*command.split())
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("AWS says: Could not connect to the endpoint URL"), done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("worker", "worker"), ("checker", "checker"), ("doctor", "worker"), ("simulate", "simulate"),
        ("ami inspect", "image"), ("ami build", "image"),
        ("ami validate", "image"), ("local up", "local"), ("demo", "local"),
    ],
)  # fmt: skip
def test_a_command_names_the_extra_that_it_needs(base: Installed, command: str, extra: str) -> None:
    done = base.auto_lambda(*command.split())
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert f"pip install 'auto-lambda[{extra}]'" in done.stderr


@pytest.mark.parametrize(
    ("extra", "packages"),
    [
        ("worker", ["auto_lambda", "worker", "builder"]),
        ("checker", ["auto_lambda.aws", "auto_lambda.settings", "checker.loop", "checker.publish"]),
        ("image", ["ami.build", "ami.check", "ami.packer", "ami.published"]),
        ("simulate", ["checker.simulator"]),
        ("local", ["auto_lambda_cli.local_stack"]),
    ],
)
def test_an_extra_brings_all_that_its_modules_import(
    wheel: Path, tmp_path: Path, extra: str, packages: list[str]
) -> None:
    done = Installed(tmp_path, wheel, extra).run("python", "-c", IMPORT_ALL, *packages)
    assert done.returncode == 0, done.stderr


def test_a_machine_gets_all_that_its_services_import(wheel: Path, tmp_path: Path) -> None:
    machine = Installed(tmp_path, wheel, lock=ROOT / "auto_lambda" / "locks" / "installation.txt")
    modules = ("auto_lambda", "worker", "builder", "checker.loop", "checker.publish", "ami.bake", "ami.selftest")
    done = machine.run("python", "-c", IMPORT_ALL, *modules)
    assert done.returncode == 0, done.stderr


def test_the_demo_runs_from_the_wheel_alone_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    installed = Installed(tmp_path, wheel, "local")
    done = installed.run("auto-lambda", "demo", environ={"COLUMNS": "200"})
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "4 of 4 apps live" in done.stdout
    assert list(installed.empty.iterdir()) == []
