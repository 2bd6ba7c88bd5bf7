"""The schema of the ledger's items, and the way from one version of it to the next and back.

Each item has its version as `schema`; items without it have version 1, that of Auto-Lambda 0.2.0. While a fleet is
replaced, workers of two versions write, so a worker has to read items of the version before its own and of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auto_lambda.aws.dynamodb import SCHEMA, Item, Value

ATTRIBUTE = "schema"
OLDEST = 1
Change = Callable[[dict[str, Value]], dict[str, Value]]


class UnknownSchema(Exception):
    """An item is of a version that this program has no way from; the message names it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """The way between a version and the one before it. Both ways keep every attribute that they do not know."""

    version: int
    forwards: Change
    back: Change


def _same(item: dict[str, Value]) -> dict[str, Value]:
    return item


MIGRATIONS: Sequence[Migration] = (Migration(2, _same, _same),)
"""By version, oldest first. Version 2 only says which version it is."""


def version_of(item: Item) -> int:
    """Return the version of an item."""
    return int(item.get(ATTRIBUTE) or OLDEST)


def migrated(item: Item, to: int = SCHEMA, migrations: Sequence[Migration] = MIGRATIONS) -> dict[str, Value]:
    """Return an item in another version.

    Raises:
        UnknownSchema: there is no way from its version to the other.
    """
    known: Mapping[int, Migration] = {it.version: it for it in migrations}
    version = version_of(item)
    if not (max(known, default=OLDEST) >= version >= OLDEST and max(known, default=OLDEST) >= to >= OLDEST):
        raise UnknownSchema(f"{item['pk']} {item['sk']} has schema {version}; there is no way from it to {to}")
    changed = {name: value for name, value in item.items() if name != ATTRIBUTE}
    while version < to:
        version += 1
        changed = known[version].forwards(changed)
    while version > to:
        changed = known[version].back(changed)
        version -= 1
    return changed if to == OLDEST else {**changed, ATTRIBUTE: to}
