from __future__ import annotations

from pathlib import Path

import pytest
from linear import assert_linear, repeated

from builder.dependencies.known.native import hint
from builder.dependencies.uv import BuildTarget
from builder.dependencies.uv_errors import build_failed

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))


@pytest.mark.parametrize(
    ("output", "lacking"),
    [
        ("Modules/common.h:15:10: fatal error: lber.h: No such file or directory", "the header lber.h"),
        ("src/cairomodule.c:3:10: fatal error: X11/Xlib.h: No such file or directory", "the header X11/Xlib.h"),
        ("Package libffi was not found in the pkg-config search path.", "the library libffi"),
        ("No package 'cairo' found", "the library cairo"),
        ("Command 'pkg-config --exists mysqlclient' returned non-zero exit status 1.", "the library mysqlclient"),
        ("Error: pg_config executable not found.", "needs pg_config"),
        ("/bin/sh: 1: mysql_config: not found", "needs mysql_config"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "the compiler gcc"),
        ("error: can't find Rust compiler", "the compiler Rust"),
        ("CMake must be installed to build dlib.", "needs CMake"),
    ],
)
def test_a_build_says_what_this_machine_lacks(output: str, lacking: str) -> None:
    found = hint("anything", f"running build_ext\n{output}\n")
    assert found
    assert lacking in found
    assert "whoever runs the pipeline" in found


@pytest.mark.parametrize(
    ("name", "instead"),
    [("mysqlclient", "PyMySQL"), ("psycopg2", "psycopg2-binary"), ("python-ldap", "ldap3"), ("sklearn", "scikit-learn"),
     ("MySQL_python", "PyMySQL"), ("pycrypto", "pycryptodome"), ("PyGObject", "delete the line")],
)  # fmt: skip
def test_what_never_had_a_wheel_has_a_stand_in(name: str, instead: str) -> None:
    assert instead in (hint(name, "") or "")


def test_other_failures_keep_the_hint_about_wheels() -> None:
    assert hint("broken", "error: expected ';' before '}' token") is None
    assert "offers a wheel" in (build_failed("broken 1.0", "error: expected ';'", TARGET).hint or "")


def test_a_failed_build_of_a_known_package_names_the_stand_in() -> None:
    error = build_failed("mysqlclient 2.3.2", "Command 'pkg-config --exists mysqlclient' returned 1.", TARGET)
    assert "Require PyMySQL" in (error.hint or "")
    assert "offers a wheel" not in (error.hint or "")


def test_a_compilers_output_names_no_folder_of_this_machine() -> None:
    folder = "/var/lib/x/worker-1/builder-2/work"
    cache = f"{folder}/build/uv-cache/builds-v0/.tmpOFx8Lq"
    output = f'  File "{cache}/lib/python3.12/site-packages/a.py", line 1\n`{folder}/fetched/x-1.tar.gz`'
    message = build_failed("x 1", output, TARGET).message
    assert 'File "lib/python3.12/site-packages' in message
    assert "`x-1.tar.gz`" in message
    assert "builder-2" not in message


@pytest.mark.parametrize(
    "part", ["fatal error: ", "a", "command '", "pkg-config --exists ", "Package ", "'", "/", '"/']
)
def test_hostile_output_takes_linear_time(part: str) -> None:
    assert_linear(lambda text: build_failed("x 1", text, TARGET), repeated(part))
