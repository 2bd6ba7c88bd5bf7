from __future__ import annotations

import pytest

from builder.dependencies.known.build_constraints import KNOWN, as_file, described, matching


@pytest.mark.parametrize(
    ("output", "constraint"),
    [
        ("error in troposphere setup command: use_2to3 is invalid.", "setuptools<58"),
        ("ImportError: cannot import name 'Feature' from 'setuptools' (/x/setuptools/__init__.py)", "setuptools<46"),
        ("AttributeError: 'build_ext' object has no attribute 'cython_sources'", "Cython<3"),
        ("AttributeError: 'build_ext' object has no attribute 'cython_sources'. Did you mean", "Cython<3"),
        ("Cython.Compiler.Errors.CompileError: src/gevent.pyx", "Cython<3"),
        ("ModuleNotFoundError: No module named 'pkg_resources'", "setuptools<81"),
        ("InvalidConfigError: Invalid dash-separated key 'description-file' in 'metadata'", "setuptools<78"),
    ],
)
def test_the_shapes_of_failures_that_an_older_tool_cures(output: str, constraint: str) -> None:
    assert [one.requirement for one in matching(f"Traceback\n  {output}\n")] == [constraint]


@pytest.mark.parametrize("output", ["", "fatal error: Python.h: No such file", "use_2to3 = True"])
def test_other_failures_have_none(output: str) -> None:
    assert matching(output) == ()


def test_each_says_what_it_is_and_why() -> None:
    assert as_file(KNOWN[:2]) == "setuptools<58\nsetuptools<46\n"
    assert "setuptools<58, as setuptools 58 (September 2021) removed use_2to3" in described(KNOWN)
