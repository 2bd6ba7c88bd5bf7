from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.dynamodb import SCHEMA, Value
from auto_lambda_cli.pipeline.ledger_schema import MIGRATIONS, OLDEST, Migration, UnknownSchema, migrated, version_of

NAMES = st.text("abcdefgh_", min_size=1, max_size=8).filter(lambda name: name not in ("schema", "wait", "waited"))
ITEMS = st.dictionaries(NAMES, st.text(max_size=5) | st.integers(), max_size=5).map(
    lambda item: {"pk": "app#dev/shop", "sk": "live", **item}
)


def renamed(old: str, new: str) -> Migration:
    def change(item: dict[str, Value], was: str, becomes: str) -> dict[str, Value]:
        return {becomes if name == was else name: value for name, value in item.items()}

    return Migration(3, lambda item: change(item, old, new), lambda item: change(item, new, old))


LATER = (*MIGRATIONS, renamed("wait", "waited"))


def test_there_is_a_migration_for_each_version_up_to_the_one_that_is_written() -> None:
    assert [it.version for it in MIGRATIONS] == list(range(OLDEST + 1, SCHEMA + 1))


def test_an_item_of_the_last_release_is_of_the_oldest_version_and_becomes_one_of_this() -> None:
    item = {"pk": "app#dev/shop", "sk": "live", "when": "2026-11-28T00:00:00+00:00"}
    assert version_of(item) == OLDEST
    assert migrated(item) == {**item, "schema": SCHEMA}


@given(ITEMS, st.integers(OLDEST, 3), st.integers(OLDEST, 3))
def test_there_and_back_changes_nothing(item: dict[str, Value], first: int, second: int) -> None:
    there = migrated({**item, "wait": 5}, first, LATER)
    assert migrated(migrated(there, second, LATER), first, LATER) == there


def test_every_step_on_the_way_is_taken() -> None:
    item: dict[str, Value] = {"pk": "p", "sk": "s", "wait": 5}
    assert migrated(item, 3, LATER) == {"pk": "p", "sk": "s", "waited": 5, "schema": 3}
    assert migrated({"pk": "p", "sk": "s", "waited": 5, "schema": 3}, 1, LATER) == item


@pytest.mark.parametrize(("schema", "to"), [(9, 2), (2, 9), (2, 0)])
def test_an_item_that_there_is_no_way_for_is_left_alone(schema: int, to: int) -> None:
    with pytest.raises(UnknownSchema, match="app#dev/shop live has schema"):
        migrated({"pk": "app#dev/shop", "sk": "live", "schema": schema}, to)
