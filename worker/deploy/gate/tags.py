"""Tags: a template may set none of those by which boundaries tell apps apart.

A resource's own tag wins over the stack's, so a role could take another app's namespace. IAM compares the keys of tags
without regard to case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.model import Template
from worker.deploy.gate.template import Violation

_RESERVED = ("auto-lambda:", "aws:")


def problems(template: Template) -> Iterator[Violation]:
    """Yield every tag that is not the app's to set, and keys of tags that cannot be read."""
    for name, resource in sorted(template["Resources"].items()):
        for key in _keys(resource.get("Properties", {}).get("Tags", [])):
            if not isinstance(key, str):
                yield Violation(name, "the key of a tag must be plain text")
            elif key.strip().casefold().startswith(_RESERVED):
                yield Violation(name, f"the tag {key.strip()!r} is not the app's to set")


def _keys(tags: Any) -> Iterator[Any]:
    """Read both forms of tags: a list of keys with values, and a mapping."""
    if isinstance(tags, Mapping):
        yield from tags
        return
    for tag in tags if isinstance(tags, list) else [tags]:
        yield tag.get("Key") if isinstance(tag, Mapping) else None
