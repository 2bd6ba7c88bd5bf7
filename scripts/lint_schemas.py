"""Write builder/lint/schemas.json: the schemas of the resource types that an app may have.

They are AWS's registry schemas with cfn-lint's corrections (cfn-lint has the license MIT-0), without descriptions.
Run it after a new release of cfn-lint: ``.venv/bin/python scripts/lint_schemas.py``; ``--print`` only prints it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from worker.deploy.gate.allow_list import _TYPES as TYPES

TARGET = Path(__file__).parents[1] / "builder/lint/schemas.json"
REGION = "us-east-1"
# Of JSON Schema, what constrains a value; the rest is documentation, or cfn-lint's own.
KEPT = frozenset({
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "definitions", "dependentRequired", "else", "enum", "if",
    "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "not", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "required", "then", "type", "uniqueItems",
})  # fmt: skip
_PLAIN = frozenset({"const", "dependentRequired", "enum", "required"})
_NAMED = frozenset({"definitions", "properties", "patternProperties"})  # their keys are names, not keywords


def schemas() -> dict[str, Any]:
    """Return the schema of each type."""
    return {
        kind: _slim(PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema) | {"type": "object"}
        for kind in sorted(TYPES)
    }


def _slim(node: Any) -> Any:
    if isinstance(node, list):
        return [_slim(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in node.items():
        if key in _NAMED:
            found[key] = {name: _slim(one) for name, one in value.items()}
        elif key == "pattern":
            found[key] = value.replace("\\Z", "$")  # Python's way to say the end of a text
        elif key in KEPT:
            found[key] = value if key in _PLAIN else _slim(value)
    return found


def text() -> str:
    """Return the file's content."""
    return json.dumps(schemas(), sort_keys=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(text())
    else:
        TARGET.write_text(text())
