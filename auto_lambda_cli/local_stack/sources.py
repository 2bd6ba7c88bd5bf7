"""Files of the repository that a local stack needs, in a checkout as in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_SHIPPED = Path(__file__).with_name("shipped")  # copies, made by setup.py for the wheel
_ROOT = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[2]


def template_path() -> Path:
    """The cloud side's template."""
    return _ROOT / "infra" / "pipeline.yaml"


def examples_folder() -> Path:
    """The examples that the demo drops."""
    return _ROOT / "examples"
