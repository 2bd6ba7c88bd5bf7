"""What is wrong with a draft."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that AWS would refuse.

    Attributes:
        resource: logical id.
        kind: type of the resource.
        path: from the resource's properties to the value; items of lists are left out.
        reason: what is wrong with the value.
    """

    resource: str
    kind: str
    path: tuple[str, ...]
    reason: str
