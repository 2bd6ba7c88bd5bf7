from __future__ import annotations

import pytest
from packaging.version import Version

from builder.dependencies.lock import Lock
from builder.dependencies.manifests import Manifest
from builder.dependencies.pythons import unsuited, with_zappa_for, without_wheel, zappa_pin, zappa_takes
from builder.dependencies.requirement_lines import Requirements
from builder.dependencies.sdists import Pin, Sdist


def manifest(*lines: str, constraints: tuple[str, ...] = ()) -> Manifest:
    read = Requirements(lines, constraints=constraints)
    return Manifest("requirements.txt", read, read.names)


def test_markers_that_drop_every_line() -> None:
    asked = manifest('flask==3.0.3; python_version < "3.13"', 'zappa==0.60.2; python_full_version < "3.13.0"')

    assert "marker" in (unsuited(asked, "3.13") or "")
    assert unsuited(asked, "3.12") is None


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("flask",),
        ('tomli; python_version < "3.11"',),
        ('tomli; python_version < "3.11"', "flask"),
        ('tomli; python_version < "3.11"', 'flask; python_version >= "3.13"'),
    ],
)
def test_a_line_for_an_older_python_alone_rules_nothing_out(lines: tuple[str, ...]) -> None:
    assert unsuited(manifest(*lines), "3.13") is None


@pytest.mark.parametrize(
    ("line", "takes"),
    [
        ("zappa==0.56.1", ()),
        ("zappa==0.58.0", ("3.11",)),
        ("Zappa[all]==0.59.0", ("3.11", "3.12")),
        ("zappa===0.60.0", ("3.11", "3.12", "3.13")),
        ("zappa==0.63.0", ("3.11", "3.12", "3.13", "3.14")),
        ("zappa>=0.50", ("3.11", "3.12", "3.13", "3.14")),
        ("zappa==0.58.*", ("3.11", "3.12", "3.13", "3.14")),
    ],
)
def test_a_pinned_zappa_takes_the_pythons_of_its_own_list(line: str, takes: tuple[str, ...]) -> None:
    pythons = ("3.11", "3.12", "3.13", "3.14")

    assert tuple(one for one in pythons if unsuited(manifest(line, "flask"), one) is None) == takes
    in_lock = manifest("flask", constraints=(line,))
    assert tuple(one for one in pythons if unsuited(in_lock, one) is None) == takes


def test_the_pin_of_zappa() -> None:
    assert zappa_pin(Requirements(("flask==1", "ZAPPA==0.58.0"))) == Version("0.58.0")
    assert zappa_pin(Requirements(("flask==1",))) is None
    assert zappa_takes(Version("0.61.4"), "3.14")
    assert not zappa_takes(Version("0.60.2"), "3.14")


def test_only_what_has_wheels_for_other_pythons_speaks_against_one() -> None:
    sdists = {name: Sdist(name, "1.0", f"{name}-1.0.tar.gz", f"https://files.example/{name}", "aa")
              for name in ("fast", "docopt")}  # fmt: skip
    pins = (Pin("fast==1.0", ("sha256:aa", "sha256:of-a-wheel")), Pin("docopt==1.0", ("sha256:aa",)))

    assert without_wheel(Lock(pins, unwheeled=sdists)) == ("fast 1.0",)


@pytest.mark.parametrize(
    ("line", "python", "constraint"),
    [
        ("zappa", "3.13", "zappa>=0.60.0"),
        ("zappa>=0.50", "3.12", "zappa>=0.59.0"),
        ("zappa==0.58.0", "3.11", "zappa>=0.58.0"),
        ("zappa==0.60.2", "3.13", "zappa>=0.60.0"),
        ("zappa~=0.60.0", "3.13", "zappa>=0.60.0"),
    ],
)
def test_no_resolver_goes_back_to_a_zappa_too_old_for_the_python(line: str, python: str, constraint: str) -> None:
    found, told = with_zappa_for(manifest(line, "flask"), python, "zappa==0.63.0")

    assert found.lines.requirements == (line, "flask")
    assert (found.lines.constraints, told) == ((constraint,), ())


@pytest.mark.parametrize(
    ("line", "python"),
    [("zappa==0.56.0", "3.11"), ("zappa==0.58.0", "3.12"), ("zappa<0.57", "3.13"), ("zappa~=0.59.0", "3.14")],
)
def test_a_pin_that_does_not_run_is_replaced_with_a_warning(line: str, python: str) -> None:
    asked = manifest(line, "flask", constraints=(line, "idna==3.7"))
    found, told = with_zappa_for(asked, python, "zappa==0.63.0")

    assert found.lines.requirements == ("flask", "zappa==0.63.0")
    assert found.lines.constraints == ("idna==3.7",)
    assert python in told[0]
    assert "zappa==0.63.0; require that" in told[0]


def test_an_app_without_zappa_of_its_own_is_left_alone() -> None:
    asked = manifest("flask")

    assert with_zappa_for(asked, "3.13", "zappa==0.63.0") == (asked, ())
