"""Bounds that old releases do not declare, because what breaks them came later.

Each was tried on Python 3.11, in November 2026: a release of the range cannot be imported with the newest of what it
requires, and can with all the bounds that are here. Many later releases of a range declare them by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


@dataclass(frozen=True, slots=True)
class MissingBound:
    """Releases, as a requirement, and what they need beside what they declare."""

    of: str
    needs: tuple[str, ...]


KNOWN = (
    MissingBound("apispec-chalice", ("apispec<0.40",)),
    MissingBound("apispec<1", ("marshmallow<3", "pyyaml<6")),
    MissingBound("chalice-graphql", ("graphql-server<3.0.0b8",)),
    MissingBound("connexion<3", ("flask<2.3", "werkzeug<3")),
    MissingBound("dash-chalice<0.2", ("dash<2",)),
    MissingBound("dash<2.3.1", ("flask<2.2", "werkzeug<2.1")),
    MissingBound("django-debug-toolbar<4.1", ("django<5.1",)),
    MissingBound("djangorestframework<3.13", ("django<4",)),
    MissingBound("djangorestframework>=3.13,<3.14", ("django<4.2",)),
    MissingBound("environs<11", ("marshmallow<4",)),
    MissingBound("flasgger<0.9.8", ("marshmallow<4",)),  # whose fields, by its README, take what marshmallow 4 refuses
    MissingBound("flask-assistant", ("flask<2.3",)),
    MissingBound("flask-assets<2.1", ("flask<2.3",)),
    MissingBound("flask-babel<3", ("flask<2.3",)),
    MissingBound("flask-bcrypt<1", ("werkzeug<2.1",)),
    MissingBound("flask-httpauth<4", ("werkzeug<2.1",)),
    MissingBound("flask-login<0.6", ("flask<2.3", "werkzeug<2.1")),
    MissingBound("flask-login>=0.6,<0.6.3", ("flask<2.3", "werkzeug<3")),
    MissingBound("flask-marshmallow<1.3", ("marshmallow<4",)),
    MissingBound("flask-mongoengine", ("flask<2.3",)),
    MissingBound("flask-restful<0.3.9", ("flask<2",)),
    MissingBound("flask-restx<1", ("flask<2.2", "werkzeug<2.2")),
    MissingBound("flask-restx>=1,<1.2", ("flask<3", "werkzeug<3")),
    MissingBound("flask-script", ("flask<2",)),
    MissingBound("flask-smorest<0.40", ("flask<2.2",)),
    MissingBound("flask-socketio<5.2", ("flask<2.3",)),
    MissingBound("flask-sqlalchemy<3", ("flask<2.3", "sqlalchemy<2")),
    MissingBound("flask-wtf<1", ("flask<2.2", "werkzeug<2.1")),
    MissingBound("flask-wtf>=1,<1.1", ("flask<2.3", "werkzeug<3")),
    MissingBound("flask<1.1", ("werkzeug<1",)),  # whose names apps of that time import from werkzeug itself
    MissingBound("flask<2", ("werkzeug<2.1", "jinja2<3.1", "itsdangerous<2.1")),
    MissingBound("flask>=2,<2.1", ("werkzeug<2.1",)),
    MissingBound("flask>=2.1,<2.2.5", ("werkzeug<3",)),
    MissingBound("flask>=2.3,<2.3.3", ("werkzeug<3.1",)),
    MissingBound("graphql-server==3.0.0", ("graphql-core<3.3",)),
    MissingBound("jinja2<3", ("markupsafe<2.1",)),
    MissingBound("marshmallow-sqlalchemy<1", ("marshmallow<4",)),
    MissingBound("matplotlib<3.8", ("numpy<2",)),
    MissingBound("mongoengine<0.29", ("pymongo<4.9",)),
    MissingBound("openai>=1,<1.55.3", ("httpx<0.28",)),
    MissingBound("opencv-python-headless<4.10", ("numpy<2",)),
    MissingBound("opencv-python<4.10", ("numpy<2",)),
    MissingBound("pandas<2.2.2", ("numpy<2",)),
    MissingBound("pyarrow<15", ("numpy<2",)),
    MissingBound("quart<0.17", ("jinja2<3.1", "werkzeug<2.1")),
    MissingBound("quart>=0.17,<0.19", ("werkzeug<3",)),
    MissingBound("quart>=0.19,<0.19.9", ("flask<3.1",)),  # which it can be imported with, but makes no app
    MissingBound("scikit-learn<1.4", ("numpy<2",)),
    MissingBound("shapely>=2,<2.0.4", ("numpy<2",)),
    MissingBound("sqlalchemy-utils<0.41", ("sqlalchemy<2",)),
    MissingBound("webargs<8", ("marshmallow<4",)),
)


@dataclass(frozen=True, slots=True)
class UnmetBound:
    """A release that a resolution takes, and what it would need instead of what is taken with it."""

    release: str
    need: str


def unmet(pins: Mapping[str, str]) -> tuple[UnmetBound, ...]:
    """Return what known bounds a resolution breaks.

    Args:
        pins: versions, by normalised name.
    """
    found = (
        UnmetBound(f"{name} {version}", need)
        for one in KNOWN
        if (version := pins.get(name := canonicalize_name(Requirement(one.of).name))) and _is_in(version, one.of)
        for need in one.needs
        if (taken := pins.get(canonicalize_name(Requirement(need).name))) and not _is_in(taken, need)
    )
    return tuple(found)


def _is_in(version: str, requirement: str) -> bool:
    try:
        return Requirement(requirement).specifier.contains(Version(version), prereleases=True)
    except ValueError:  # no version, or one of thousands of digits
        return True
