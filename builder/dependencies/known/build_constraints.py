"""Constraints on build tools with which old sources build again, tried once when a build's failure looks like it.

A wrong guess costs a second failing build and nothing else, so a build's own words may be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuildConstraint:
    """A constraint, the words of the failures that it cures, and why it does."""

    requirement: str
    signs: tuple[str, ...]
    why: str


KNOWN = (
    BuildConstraint("setuptools<58", ("use_2to3 is invalid",), "setuptools 58 (September 2021) removed use_2to3"),
    BuildConstraint(
        "setuptools<46",
        ("cannot import name 'Feature' from 'setuptools'",),
        "setuptools 46 (March 2020) removed Feature, which MarkupSafe 1.0 and simplejson 3.8 use",
    ),
    BuildConstraint(
        "Cython<3",
        ("has no attribute 'cython_sources'", "Cython.Compiler.Errors."),
        "Cython 3 (July 2023) no longer compiles what was written for 0.29, such as PyYAML 5.4 and 6.0",
    ),
    BuildConstraint(
        "setuptools<81",
        ("No module named 'pkg_resources'", "No module named pkg_resources"),
        "setuptools no longer has pkg_resources (announced in release 81, May 2025)",
    ),
    BuildConstraint(
        "setuptools<78",
        ("Invalid dash-separated key",),
        "setuptools 78 (March 2025) refuses keys with dashes in setup.cfg",
    ),
)  # fmt: skip


def matching(output: str) -> tuple[BuildConstraint, ...]:
    """Return the constraints that may cure a failed build with this output."""
    return tuple(one for one in KNOWN if any(sign in output for sign in one.signs))


def described(constraints: tuple[BuildConstraint, ...]) -> str:
    """Describe constraints for the log."""
    return "; ".join(f"{one.requirement}, as {one.why}" for one in constraints)


def as_file(constraints: tuple[BuildConstraint, ...]) -> str:
    """Return the content of a constraints file."""
    return "".join(f"{one.requirement}\n" for one in constraints)
