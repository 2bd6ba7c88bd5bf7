from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from builder.dependencies.known.missing_bounds import KNOWN, unmet


def needs(**pins: str) -> list[str]:
    return [one.need for one in unmet({name.replace("_", "-"): version for name, version in pins.items()})]


def test_a_release_and_what_it_does_not_run_with() -> None:
    assert needs(flask="2.0.3", werkzeug="3.1.3") == ["werkzeug<2.1"]
    assert needs(pandas="1.5.3", numpy="2.3.0") == ["numpy<2"]
    assert needs(flask="0.12.2", werkzeug="2.0.3") == ["werkzeug<1"]
    assert needs(djangorestframework="3.13.1", django="4.2") == ["django<4.2"]
    assert needs(djangorestframework="3.12.4", django="4.1") == ["django<4"]
    assert needs(environs="9.5.0", marshmallow="4.0.0") == ["marshmallow<4"]

    assert needs(quart="0.16.3", werkzeug="2.0.3", jinja2="3.1.6") == ["jinja2<3.1"]
    assert needs(quart="0.18.4", werkzeug="3.1.3") == ["werkzeug<3"]
    assert needs(quart="0.19.8", flask="3.1.2", werkzeug="3.1.3") == ["flask<3.1"]
    assert needs(quart="0.19.9", flask="3.1.2", werkzeug="3.1.3") == []


def test_what_fits_already_needs_nothing() -> None:
    assert needs(flask="2.0.3", werkzeug="2.0.3") == []
    assert needs(flask="3.1.0", werkzeug="3.1.3") == []


def test_what_is_not_taken_at_all_is_not_asked_for() -> None:
    assert needs(flask="1.1.2") == []


def test_a_version_that_cannot_be_read_is_let_alone() -> None:
    assert needs(flask="2.0.3", werkzeug="unknown") == []


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.of)
def test_each_bound_can_be_read_and_is_an_upper_one(one: object) -> None:
    assert isinstance(one, type(KNOWN[0]))
    Requirement(one.of)
    assert all(next(iter(Requirement(need).specifier)).operator == "<" for need in one.needs)
