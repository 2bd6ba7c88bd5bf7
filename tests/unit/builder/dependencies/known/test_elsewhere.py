from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from builder.dependencies.known.elsewhere import why_left_out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("pkg-resources==0.0.0", "Debian"),
        ("pkg_resources==0.0.0", "Debian"),
        ("pywin32==306", "Windows"),
        ("PyWin32==306", "Windows"),
        ("pyobjc-framework-Cocoa==9.0", "macOS"),
        ("python-apt==2.4.0+ubuntu1", "Ubuntu"),
        ("command-not-found==0.3", "Ubuntu"),
    ],
)
def test_lines_of_other_systems_are_left_out(line: str, why: str) -> None:
    assert why in (why_left_out(Requirement(line)) or "")


@pytest.mark.parametrize("line", ["six", "pkg-resources", "pywin32", "pywin32>=300", "flask==2.0.3", "apturl>1"])
def test_others_and_what_is_no_freeze_are_kept(line: str) -> None:
    assert why_left_out(Requirement(line)) is None
