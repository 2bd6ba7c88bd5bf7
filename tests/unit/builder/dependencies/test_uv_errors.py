from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.errors import Code
from builder.dependencies.uv import BuildTarget
from builder.dependencies.uv_errors import explain

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))
NO_SOLUTION = "error: No solution found when resolving dependencies\n  cause: "
END = ", we can conclude that your requirements are unsatisfiable."


@pytest.mark.parametrize(
    ("cause", "code", "named"),
    [
        (
            "Because zzz was not found in the package registry and you require zzz" + END,
            Code.REQUIREMENT_NOT_FOUND,
            "zzz",
        ),
        (
            "Because there is no version of flask==99.0 and you require flask==99.0" + END,
            Code.REQUIREMENT_NOT_FOUND,
            "flask==99.0",
        ),
        (
            "Because only six<=1.17.0 is available and you require six>=99" + END,
            Code.REQUIREMENT_NOT_FOUND,
            "six>=99",
        ),
        (
            "Because flask==3.0.0 depends on werkzeug>=3.0.0 and you require flask==3.0.0, we can conclude that you "
            "require werkzeug>=3.0.0.\n         And because you require werkzeug<2" + END,
            Code.REQUIREMENTS_CONFLICT,
            "werkzeug<2",
        ),
        (
            "Because you require six==1.16.0 and six==1.15.0" + END,
            Code.REQUIREMENTS_CONFLICT,
            "six==1.15.0",
        ),
        (
            "Because the requested Python version (3.12.1) does not satisfy Python>=3.13 and a==1 depends on "
            "Python>=3.13, we can conclude that a==1 cannot be used" + END,
            Code.REQUIREMENTS_CONFLICT,
            "3.13",
        ),
    ],
)
def test_no_solution_names_the_package_and_the_constraint(cause: str, code: Code, named: str) -> None:
    error = explain(NO_SOLUTION + cause, "requirements.txt", TARGET)
    assert error.code == code
    assert named in error.message
    assert "unsatisfiable" not in error.message
    assert "requirements.txt" in error.hint or "Python 3.12" in error.hint


def test_a_failed_build_shows_the_compilers_last_lines() -> None:
    output = (
        "   Building broken @ file:///w/local/0/broken\n"
        "error: Failed to build `broken @ file:///w/local/0/broken`\n  cause: The build backend returned an error\n\n"
        "         [stdout]\n" + "".join(f"         checking {number}\n" for number in range(500)) + "\n"
        "         [stderr]\n         broken.c:1:11: error: expected declaration\n"
        "\nhint: Build failures usually indicate a problem"
    )
    error = explain(output, "requirements.txt", TARGET)
    assert error.code == Code.DEPENDENCY_BUILD_FAILED
    assert error.message.startswith("broken @ ./broken does not build")
    assert error.message.endswith("broken.c:1:11: error: expected declaration")
    assert len(error.message.splitlines()) < 40
    assert "wheel" in error.hint


def test_a_folder_whose_name_is_not_known_yet_fails_to_build_too() -> None:
    output = (
        "error: The build backend returned an error\n  cause: Call to `setuptools.build_meta:__legacy__` failed\n\n"
        "         [stderr]\n         no compiler for you"
    )
    error = explain(output, "requirements.txt", TARGET)
    assert error.code == Code.DEPENDENCY_BUILD_FAILED
    assert error.message.startswith("a dependency does not build")
    assert error.message.endswith("no compiler for you")


def test_anything_else_is_told_in_uvs_words() -> None:
    error = explain("error: Something new\n  cause: of a kind", "requirements.txt", TARGET)
    assert error.code == Code.BAD_REQUIREMENTS
    assert "Something new of a kind" in error.message


def test_an_explanation_is_trimmed() -> None:
    assert len(explain(NO_SOLUTION + "Because a depends on b " * 1000 + END, None, TARGET).message) < 2100
