from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from builder.dependencies.known.too_old import _RUNS_BEFORE, OLDEST, replaced


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("Jinja2==2.9.6", "Jinja2<3,>=2.10.3"),
        ("Werkzeug==0.14.1", "Werkzeug<1,>=0.15"),
        ("requests[security]==2.18.4 ; python_version > '3'", 'requests[security]<3,>=2.19.1; python_version > "3"'),
        ("Flask==1.0.2", "Flask<2,>=1.0.3"),
        ("botocore~=1.12.3", "botocore<2,>=1.13.50"),
    ],
)
def test_a_pin_that_runs_nowhere_is_raised_as_little_as_possible(line: str, changed: str) -> None:
    found, warning = replaced(line)
    assert Requirement(found) == Requirement(changed)
    assert "runs on no Python that Lambda offers" in (warning or "")


@pytest.mark.parametrize(
    "line",
    [
        "Jinja2==2.11.3",
        "jinja2",
        "jinja2>=2.0",
        "six==1.0",
        "django==2.2.28",
        "flask==0.12.5",
        f"jinja2==1.{'1' * 6000}",
    ],
)
def test_all_others_stay_as_they_are(line: str) -> None:
    assert replaced(line) == (line, None)


def test_old_pydantic_runs_but_not_with_fastapi() -> None:
    assert replaced("pydantic==1.8.2", ["flask"]) == ("pydantic==1.8.2", None)
    assert replaced("pydantic==1.10.2", ["fastapi"]) == ("pydantic==1.10.2", None)
    changed, warning = replaced("pydantic==1.8.2", ["fastapi", "pydantic"])
    assert Requirement(changed) == Requirement("pydantic>=1.10,<2")
    assert "a release from 1.10 on is taken" in (warning or "")


@given(name=st.sampled_from(sorted(OLDEST)), release=st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_what_is_taken_is_never_older_than_what_was_pinned(name: str, release: list[int]) -> None:
    version = ".".join(map(str, release))
    changed, warning = replaced(f"{name}=={version}", ["fastapi"])
    first = OLDEST[name][0]
    assert (warning is not None) == (Version(_RUNS_BEFORE.get(name, "0")) <= Version(version) < Version(first))
    assert warning is None or first in str(Requirement(changed).specifier)
