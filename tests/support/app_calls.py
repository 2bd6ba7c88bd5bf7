"""What the source of an app of ours calls at AWS, and what its policies allow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def allowed(statements: Any) -> set[str]:
    """Every action of a policy's statements."""
    return {action for statement in statements for action in statement["Action"]}


def called(app: Path, calls: Mapping[str, Mapping[str, str]]) -> set[str]:
    """The action of each call in the source: every one there is called what the method is.

    Args:
        app: its folder.
        calls: the IAM prefix of each client, by the client's attribute, by the file in `chalicelib` that uses it.
    """
    found = set()
    for name, clients in calls.items():
        source = (app / "chalicelib" / name).read_text()
        for client, prefix in clients.items():
            methods = re.findall(rf"self\.{client}\.(\w+)\(", source)
            methods += re.findall(rf'self\.{client}\.get_paginator\("(\w+)"\)', source)
            found |= {f"{prefix}:{method.title().replace('_', '')}" for method in methods if method != "get_paginator"}
    return found
