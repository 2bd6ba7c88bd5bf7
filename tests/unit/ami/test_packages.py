"""The package names: the list, and the shim that installs them with whatever the machine has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ami import packages
from ami.problems import NotStarted

AMI = Path(__file__).resolve().parents[3] / "ami"


def table(folder: Path, *rows: str) -> Path:
    path = folder / "packages.tsv"
    path.write_text("# a comment\n" + "\n".join(rows) + "\n")
    return path


def known(folder: Path, *names: str) -> Path:
    path = folder / "dnf-known.txt"
    path.write_text("# a comment\n" + "\n".join(names) + "\n")
    return path


def test_every_name_in_use_is_known() -> None:
    packages.check(AMI / "packages.tsv", AMI / "dnf-known.txt")


def test_the_image_holds_every_interpreter_with_headers_and_a_sandbox() -> None:
    names = packages.dnf_names(AMI / "packages.tsv")
    assert {f"python3.{minor}{part}" for minor in (11, 12, 13, 14) for part in ("", "-devel")} <= set(names)
    assert {"bubblewrap", "gcc", "amazon-cloudwatch-agent"} <= set(names)
    assert "curl" not in names  # it conflicts with the curl-minimal of the base image
    assert "postgresql-devel" not in names  # it is called libpq-devel


def test_a_misspelt_name_is_told_with_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match=r"no package libffi-dev \(meant libffi-devel\?\)"):
        packages.check(table(tmp_path, "libraries\tgcc libffi-dev\t-"), known(tmp_path, "gcc", "libffi-devel"))


def test_a_row_without_three_columns_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match=r"packages\.tsv:2"):
        packages.dnf_names(table(tmp_path, "compilers gcc g++"))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A payload folder, and beside it programs that stand for the distribution's."""
    (tmp_path / "provision").mkdir()
    (tmp_path / "provision" / "lib.sh").write_bytes((AMI / "provision" / "lib.sh").read_bytes())
    table(tmp_path, "compilers\tgcc make\tgcc make", "agents\tonly-on-amazon\t-")
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(machine: Path, name: str, script: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def install(machine: Path, group: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f". {machine}/provision/lib.sh; pkg_install {group}"],
        capture_output=True, text=True, check=False, env={"PATH": f"{machine}/bin:/usr/bin:/bin"},
    )  # fmt: skip


def test_dnf_installs_a_group(machine: Path) -> None:
    program(machine, "rpm", "exit 1")
    program(machine, "dnf", f'case "$*" in *repoquery*) printf "gcc\\nmake\\n";; *) echo "$*" >> {machine}/ran;; esac')
    assert install(machine, "compilers").returncode == 0
    assert (machine / "ran").read_text().rstrip().endswith("gcc make")


def test_dnf_is_not_asked_for_what_is_there(machine: Path) -> None:
    program(machine, "rpm", "exit 0")
    program(machine, "dnf", "exit 9")
    assert install(machine, "compilers").returncode == 0


def test_a_name_that_dnf_does_not_know_ends_the_step(machine: Path) -> None:
    program(machine, "rpm", "exit 1")
    program(machine, "dnf", 'case "$*" in *repoquery*) echo gcc;; *) exit 9;; esac')
    done = install(machine, "compilers")
    assert done.returncode == 1
    assert "FAILED [unknown-package] dnf knows no package make: correct packages.tsv" in done.stderr


def test_a_group_may_be_empty_for_a_distribution(machine: Path) -> None:
    program(machine, "dpkg-query", "exit 9")
    assert install(machine, "agents").returncode == 0
