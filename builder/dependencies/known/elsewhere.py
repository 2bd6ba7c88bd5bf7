"""Names that freezes of other systems list, and that cannot or need not be installed for Lambda."""

from __future__ import annotations

import re
import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.diagnosis.other_python import LOST

# https://bugs.launchpad.net/ubuntu/+source/python-pip/+bug/1635463
_DEBIANS = "Debian's pip lists it, but there is no such package"
_UBUNTUS = "it belongs to Ubuntu itself and is not on package indexes"
_OF_A_SYSTEM = (
    "it comes from the packages of Debian or Ubuntu, and no package index has that version: delete the line, or pin a "
    "release of the index if the app imports it"
)
_PYTHONS = "Python itself has it, and would find this one first"
_WINDOWS = "it is for Windows only"
_MACS = "it is for macOS only"
_WHY = {
    **dict.fromkeys(("pywin32", "pypiwin32", "pywinpty", "windows-curses", "wmi"), _WINDOWS),
    **dict.fromkeys(("pyobjc", "pyobjc-core", "macfsevents"), _MACS),
    **dict.fromkeys(("python-apt", "ubuntu-advantage-tools", "ubuntu-pro-client", "ubuntu-drivers-common",
                     "command-not-found", "language-selector", "unattended-upgrades", "screen-resolution-extra",
                     "usb-creator", "apturl", "xkit"), _UBUNTUS),
}  # fmt: skip
# Backports for Python 2, and names of the standard library: those on indexes are of Python 2's time or mistaken for it.
_IN_PYTHON = (sys.stdlib_module_names - LOST.keys()) | {"enum34", "functools32", "futures", "subprocess32"}
_FRAMEWORKS_OF_MACS = "pyobjc-framework-"
_DEBIAN_VERSION = re.compile(r"={2,3} ?\d[\w.+~-]{0,100}?(?:ubuntu|debian|deb\d|dfsg)", re.ASCII | re.IGNORECASE)


def why_left_out(requirement: Requirement) -> str | None:
    """Say why a line of a manifest is left out, None if it is not.

    Names of other systems are only if they are pinned: who writes one by hand may mean something else.
    """
    name = canonicalize_name(requirement.name)
    if name in _IN_PYTHON:
        return _PYTHONS
    if name == "pkg-resources":
        return _DEBIANS if str(requirement.specifier) == "==0.0.0" else None
    if not str(requirement.specifier).startswith("=="):
        return None
    return _MACS if name.startswith(_FRAMEWORKS_OF_MACS) else _WHY.get(name) or of_a_system(str(requirement.specifier))


def of_a_system(line: str) -> str | None:
    """Say why a line is left out that pins a build of Debian's or Ubuntu's, also if its version is none of Python's.

    pip lists them as the systems number them: ``==1.1+ubuntu0.2``, and older ones ``==0.23ubuntu1``.
    """
    return _OF_A_SYSTEM if _DEBIAN_VERSION.search(line) else None
