"""Stand-ins for libraries, in the compiler's own Python."""

from __future__ import annotations

from compiler_python import run_after

from builder.frameworks.base import INSIDE

_SCRIPT = INSIDE / "imported_later.py"
_LATER = 'with imported_later.imported_later({"xml.dom": ("getDOMImplementation",)}):\n    '


def run(code: str) -> str:
    return run_after(_SCRIPT, f"\n{code}")


def test_a_function_that_is_promised_imports_its_library_when_it_is_called() -> None:
    loaded = "print('xml.dom' in sys.modules)"
    code = f"{_LATER}from xml.dom import getDOMImplementation as it\n{loaded}\nprint(callable(it().createDocument))"
    assert run(code).split() == ["False", "True"]


def test_what_is_asked_for_meanwhile_and_was_not_promised_is_the_librarys_own() -> None:
    assert run(f"{_LATER}from xml.dom import Node\nprint(Node.__module__)") == "xml.dom"


def test_who_imports_a_library_afterwards_gets_itself() -> None:
    assert (
        run(f"{_LATER}pass\nimport xml.dom\nprint(type(xml.dom).__name__, xml.dom.Node.__module__)") == "module xml.dom"
    )
