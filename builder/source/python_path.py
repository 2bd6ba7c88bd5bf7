"""An app's own PYTHONPATH: with it, Lambda no longer looks into layers by itself, and ours holds the dependencies."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = "PYTHONPATH"
LAYER = "/opt/python"
_REFERENCES = ("$PYTHONPATH", "${PYTHONPATH}")  # no shell is there to replace them
_CODE = re.compile(r"^\$(?:LAMBDA_TASK_ROOT|\{LAMBDA_TASK_ROOT\})(?=/|$)")


def with_layer(value: str) -> str:
    """Return a PYTHONPATH that leads to the layer as well, in place of a reference to itself, else at its end.

    A reference to Lambda's folder of the code is replaced, too.
    """
    entries = [LAYER if entry in _REFERENCES else _CODE.sub("/var/task", entry) for entry in value.split(":")]
    return ":".join(dict.fromkeys([*entries, LAYER]))


def add_layer(variables: Mapping[str, object]) -> dict[str, object]:
    """Return variables in which PYTHONPATH, if it is set, leads to the layer."""
    return {
        name: with_layer(value) if name == VARIABLE and isinstance(value, str) else value
        for name, value in variables.items()
    }
