"""Files of the repository that commands need, in a checkout as in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_SHIPPED = Path(__file__).with_name("shipped")  # copies, made by setup.py for the wheel
_ROOT = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[1]


def templates_folder() -> Path:
    """The folder of the cloud side's templates."""
    return _ROOT / "infra"


def examples_folder() -> Path:
    """The examples that the demo drops."""
    return _ROOT / "examples"


def apps_folder() -> Path:
    """The apps that belong to the product and are dropped like any other."""
    return _ROOT / "apps"


def errors_page() -> Path:
    """The reference of the error codes."""
    return _ROOT / "docs" / "reference" / "errors.md"
