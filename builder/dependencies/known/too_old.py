"""Releases that run on no Python that Lambda offers, and the oldest that do.

Each was tried on Python 3.11 in November 2026: the first release runs, and one before it does not, mostly as it takes
from `collections` what Python 3.10 moved to `collections.abc`. Of graphql-core, jinja2, marshmallow and s3transfer, the
one just before could be imported as well; what came before that was not tried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

OLDEST: Mapping[str, tuple[str, str]] = {
    "beautifulsoup4": ("4.7.1", "5"),
    "boto3": ("1.10.50", "2"),
    "botocore": ("1.13.50", "2"),
    "chalice": ("1.6.2", "2"),
    "django": ("2.2", "3"),
    "feedparser": ("6", "7"),
    "flask": ("1.0.3", "2"),
    "flask-restful": ("0.3.8", "0.4"),
    "graphql-core": ("2.3.2", "3"),
    "html5lib": ("1.1", "2"),
    "jinja2": ("2.10.3", "3"),
    "markupsafe": ("1.1", "2.1"),
    "marshmallow": ("2.21", "3"),
    "networkx": ("2.4", "3"),
    "pyjwt": ("1.7", "2"),
    "pydantic": ("1.10", "2"),
    "pymongo": ("3.6.1", "4"),
    "pyparsing": ("2.2.2", "3"),
    "pytz": ("2018.5", "3000"),
    "pyyaml": ("5.1", "6"),
    "requests": ("2.19.1", "3"),
    "s3transfer": ("0.3", "1"),
    "sqlalchemy": ("1.2.18", "1.4"),
    "tweepy": ("3.7", "4"),
    "urllib3": ("1.23", "2"),
    "werkzeug": ("0.15", "1"),
}
"""The first release that can be imported, and the first of the next generation, by normalised name."""

_RUNS_BEFORE: Mapping[str, str] = {"flask": "1"}
"""The release from which on they do not run, where older ones do."""


_ONLY_WITH: Mapping[str, str] = {"pydantic": "fastapi"}
"""What else an app has to require: pydantic runs, but takes no field called `not`, as FastAPI's own models have."""


def replaced(line: str, others: Collection[str] = ()) -> tuple[str, str | None]:
    """Return a requirement with a pin that cannot run raised as little as possible, and a warning, None if it can.

    Args:
        line: the requirement.
        others: normalised names of all that the app requires.
    """
    requirement = Requirement(line)
    name = canonicalize_name(requirement.name)
    pinned = _pinned(requirement)
    if name not in OLDEST or pinned is None or _ONLY_WITH.get(name, name) not in {name, *others}:
        return line, None
    first, end = OLDEST[name]
    if pinned >= Version(first) or pinned < Version(_RUNS_BEFORE.get(name, "0")):
        return line, None
    requirement.specifier = SpecifierSet(f">={first},<{end}")
    return str(requirement), (
        f"{name} {pinned} runs on no Python that Lambda offers: a release from {first} on is taken; require that"
    )


def _pinned(requirement: Requirement) -> Version | None:
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator not in ("==", "===", "~=", "<="):
        return None
    try:
        return Version(specifiers[0].version.removesuffix(".*"))
    except ValueError:  # no version, or one of thousands of digits
        return None
