"""Moves the items of a ledger to another schema, while workers go on writing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from auto_lambda.aws.dynamodb import SCHEMA, Item, Put, Refused, Table
from auto_lambda_cli.pipeline.ledger_schema import ATTRIBUTE, MIGRATIONS, OLDEST, Migration, migrated

_MOST_PASSES = 5


def migrate(table: Table, to: int = SCHEMA, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Write every item in this version, and return how many were written.

    An item that a worker writes at the same time is read again. Whatever ends this, another call continues it.

    Raises:
        UnknownSchema: there is no way from an item's version; items before it have been written.
    """
    count = 0
    for _ in range(_MOST_PASSES):
        before = count
        for item in table.other_schemas(to, unmarked=to != OLDEST):
            with suppress(Refused):
                table.write(_put(item, to, migrations))
                count += 1
        if count == before:
            return count
    return count


def _put(item: Item, to: int, migrations: Sequence[Migration]) -> Put:
    """Replace an item, only if it is still as it was read."""
    written = {ATTRIBUTE: None, **migrated(item, to, migrations)}
    return Put(written, expect={ATTRIBUTE: None, **item})
