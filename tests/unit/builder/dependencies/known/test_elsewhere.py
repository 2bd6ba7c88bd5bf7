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
        ("distro-info==1.1+ubuntu0.2", "packages of Debian or Ubuntu"),
        ("distro-info===0.23ubuntu1", "delete the line"),
        ("reportbug==11.4.1+deb11u1", "packages of Debian or Ubuntu"),
        ("python-debian==0.1.43+debian1", "packages of Debian or Ubuntu"),
        ("enum34==1.1.6", "Python itself"),
        ("futures==3.1.1", "Python itself"),
        ("asyncio", "Python itself"),
        ("uuid>=1", "Python itself"),
        ("typing==3.7.4", "Python itself"),
    ],
)
def test_lines_of_other_systems_are_left_out(line: str, why: str) -> None:
    assert why in (why_left_out(Requirement(line)) or "")


@pytest.mark.parametrize(
    "line",
    [
        "six",
        "cgi",
        "python-dateutil",
        "legacy-cgi",
        "pkg-resources",
        "pywin32",
        "pywin32>=300",
        "flask==2.0.3",
        "apturl>1",
        "torch==2.4.0+cpu",
        "distro-info>=1.1",
        "debian==1.0",
        "debtools==1.0.dev1",
    ],
)
def test_others_and_what_is_no_freeze_are_kept(line: str) -> None:
    assert why_left_out(Requirement(line)) is None
